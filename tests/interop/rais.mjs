import { Wiretap } from './wiretap.mjs';

/** The events of a RAIS answer, read the way react-ai-stream's own client reads them. */
async function* events(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let buffer = '';
  while (true) {
    const { done, value } = await reader.read();
    buffer += decoder.decode(value, { stream: !done });
    const blocks = buffer.split('\n\n');
    buffer = done ? '' : blocks.pop();
    for (const line of blocks.join('\n').split('\n')) {
      if (!line.startsWith('data: ')) continue;
      const data = line.slice('data: '.length).trim();
      if (data === '[DONE]') return;
      let event;
      try {
        event = JSON.parse(data);
      } catch {
        continue;
      }
      if (event?.type) yield event;
    }
    if (done) return;
  }
}

/** What `useAIChat` holds: the messages, and the error of the last turn. */
class AIChat {
  messages = [];
  error = null;
  events = [];

  constructor({ url, headers = {}, body = {}, messages = [] }, fetch) {
    Object.assign(this, { url, headers, body, fetch });
    this.messages.push(...messages);
  }

  async send(content) {
    this.error = null;
    this.messages.push({ role: 'user', content });
    const history = this.messages.map(({ role, content }) => ({ role, content }));
    const answer = { role: 'assistant', content: '' };
    this.messages.push(answer);
    try {
      const response = await this.fetch(this.url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...this.headers },
        body: JSON.stringify({ messages: history, ...this.body }),
      });
      if (!response.ok) throw new Error(`Request failed: ${await response.text()}`);
      if (!response.body) throw new Error('Response body is null');
      for await (const event of events(response.body)) {
        this.events.push(event);
        if (event.type === 'text') answer.content += event.text;
        if (event.type === 'error') throw new Error(event.error ?? 'Stream error');
        if (event.type === 'done') return;
      }
    } catch (error) {
      this.error = error.message;
    }
  }
}

/** Sends `scenario.sends` one after the other. */
export async function rais(scenario) {
  const tap = new Wiretap('sse', scenario.cuts);
  const chat = new AIChat(scenario, tap.fetch);
  for (const content of scenario.sends) await chat.send(content);
  tap.close();
  const { messages, error, events } = chat;
  return { messages, error, events, requests: tap.requests };
}
