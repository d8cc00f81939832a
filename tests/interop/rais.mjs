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

/** The same over WebSocket: one question, one event a frame. */
async function* socketEvents(url, question) {
  const socket = new WebSocket(url);
  const frames = [];
  let closed = false;
  let wake = () => {};
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  socket.onmessage = (event) => {
    frames.push(JSON.parse(event.data));
    wake();
  };
  socket.onclose = () => {
    closed = true;
    wake();
  };
  socket.send(JSON.stringify(question));
  try {
    while (frames.length || !closed) {
      if (frames.length) yield frames.shift();
      else await new Promise((resolve) => (wake = resolve));
    }
  } finally {
    socket.close();
  }
}

/** What `useAIChat` holds: the messages, and the error of the last turn. */
class AIChat {
  messages = [];
  error = null;
  events = [];

  constructor({ url, headers = {}, body = {}, messages = [] }, fetch) {
    Object.assign(this, { url, headers, body, fetch, overSocket: url.startsWith('ws:') });
    this.messages.push(...messages);
  }

  async ask(question) {
    if (this.overSocket) return socketEvents(this.url, question);
    const response = await this.fetch(this.url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...this.headers },
      body: JSON.stringify(question),
    });
    if (!response.ok) throw new Error(`Request failed: ${await response.text()}`);
    if (!response.body) throw new Error('Response body is null');
    return events(response.body);
  }

  async send(content) {
    this.error = null;
    this.messages.push({ role: 'user', content });
    const history = this.messages.map(({ role, content }) => ({ role, content }));
    const answer = { role: 'assistant', content: '' };
    this.messages.push(answer);
    try {
      for await (const event of await this.ask({ messages: history, ...this.body })) {
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
