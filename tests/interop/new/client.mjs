export { ChatClient, fetchHttpStream, fetchServerSentEvents, stream, webSocket } from '@tanstack/ai-client';
export { defineByok } from '@tanstack/ai-client/byok';
