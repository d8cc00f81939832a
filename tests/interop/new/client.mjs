export { ChatClient, fetchHttpStream, fetchServerSentEvents, stream, webSocket } from '@tanstack/ai-client';
