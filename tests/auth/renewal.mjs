import { ChatClient, webSocket } from '../interop/new/client.mjs';
import { answerLines } from '../interop/lines.mjs';

/** The sockets of one chat, each of which says who is asking before anything else, and again when that is renewed. */
class Sockets {
  opened = [];

  constructor(token) {
    const sockets = this;
    this.token = token;
    this.WebSocket = class extends WebSocket {
      constructor(url, protocols = []) {
        super(url, protocols);
        sockets.opened.push(this);
        this.addEventListener('open', () => sockets.say(this));
      }
    };
  }

  say(socket) {
    socket.send(JSON.stringify({ type: 'auth', token: this.token }));
  }

  renew(token) {
    this.token = token;
    this.opened.filter(({ readyState }) => readyState === WebSocket.OPEN).forEach((socket) => this.say(socket));
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

/** Asks, renews the token in mid-answer or not, and asks again when the first token is over. */
async function play({ url, first, second }, tell) {
  const sockets = new Sockets(first);
  const connection = webSocket(`${url.replace('http', 'ws')}/api/chat/ws`, { WebSocketImpl: sockets.WebSocket });
  const client = new ChatClient({ connection });
  const text = () => JSON.stringify(client.getMessages());
  const asking = client.sendMessage('Hello');
  while (!text().includes('one')) await pause();
  if (second) sockets.renew(second);
  tell('under way');
  await asking;
  const headers = { Authorization: `Bearer ${first}` };
  while ((await fetch(`${url}/models`, { headers })).ok) await pause();
  await client.sendMessage('Go on');
  const said = client.getMessages().filter(({ role }) => role === 'assistant');
  return {
    said: said.map(({ parts }) => parts.map(({ content }) => content).join('')),
    error: client.getError()?.message ?? null,
    sockets: sockets.opened.length,
  };
}

await answerLines(play);
process.exit();
