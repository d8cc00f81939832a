export { ChatClient, fetchHttpStream, fetchServerSentEvents, stream } from '@tanstack/ai-client';
