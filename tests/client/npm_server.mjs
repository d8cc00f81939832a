// A TanStack server as their own helpers make it: SSE, NDJSON and WebSocket, each plain and with the memory log.
// Prints its URL; ends with its standard input.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import {
  memoryStream,
  resumeHttpResponse,
  resumeServerSentEventsResponse,
  resumeWebSocketStream,
  toHttpResponse,
  toServerSentEventsResponse,
  toWebSocketStream,
} from '../interop/new/node_modules/@tanstack/ai/dist/esm/index.js';

console.log = console.error; // the library logs; stdout carries the URL only

const DELTAS = ['Hel', 'lo ☃', '\n\ndata: x', ' 🎉'];
let asked = 0;

async function* answer(threadId, runId) {
  asked += 1;
  const messageId = `message-${runId}`;
  yield { type: 'RUN_STARTED', threadId, runId };
  yield { type: 'TEXT_MESSAGE_START', messageId, role: 'assistant' };
  for (const delta of DELTAS) {
    await new Promise(setImmediate);
    yield { type: 'TEXT_MESSAGE_CONTENT', messageId, delta };
  }
  yield { type: 'TEXT_MESSAGE_END', messageId };
  yield { type: 'RUN_FINISHED', threadId, runId, finishReason: 'stop' };
}

const HELPERS = {
  sse: [toServerSentEventsResponse, resumeServerSentEventsResponse],
  ndjson: [toHttpResponse, resumeHttpResponse],
};

async function respond(request, path) {
  if (path === '/asked') return new Response(String(asked));
  const [, kind, framing] = path.split('/');
  const [toResponse, resume] = HELPERS[framing];
  const durable = kind === 'durable';
  if (request.method === 'GET') return resume({ adapter: memoryStream(request) });
  const { threadId, runId } = await request.json();
  const init = durable ? { durability: { adapter: memoryStream(request) } } : {};
  return toResponse(answer(threadId, runId), init);
}

async function send(response, out) {
  out.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body) {
    const reader = response.body.getReader();
    out.on('close', () => reader.cancel().catch(() => {}));
    for (let part = await reader.read(); !part.done; part = await reader.read()) out.write(part.value);
  }
  out.end();
}

async function body(incoming) {
  const parts = [];
  for await (const part of incoming) parts.push(part);
  return Buffer.concat(parts);
}

const server = createServer(async (incoming, out) => {
  const url = new URL(incoming.url, 'http://server');
  const data = await body(incoming);
  const request = new Request(url, {
    method: incoming.method,
    headers: incoming.headers,
    ...(incoming.method === 'POST' ? { body: data } : {}),
  });
  await send(await respond(request, url.pathname), out).catch(() => out.destroy());
});

// The part of RFC 6455 that the helpers need: text frames both ways, and close.
class Socket {
  constructor(tcp) {
    this.tcp = tcp;
    this.handlers = { message: [], close: [], error: [] };
    this.rest = Buffer.alloc(0);
    tcp.on('data', (data) => this.read(data));
    tcp.on('close', () => this.emit('close'));
    tcp.on('error', () => {});
  }

  addEventListener(kind, handler) {
    this.handlers[kind].push(handler);
  }

  emit(kind, event) {
    for (const handler of this.handlers[kind]) handler(event);
  }

  frame(opcode, payload) {
    const long = payload.length > 125;
    const head = Buffer.alloc(long ? 4 : 2);
    head[0] = 0x80 | opcode;
    head[1] = long ? 126 : payload.length;
    if (long) head.writeUInt16BE(payload.length, 2);
    this.tcp.write(Buffer.concat([head, payload]));
  }

  send(text) {
    this.frame(1, Buffer.from(text));
  }

  close(code) {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.frame(8, payload);
  }

  read(data) {
    this.rest = Buffer.concat([this.rest, data]);
    for (;;) {
      if (this.rest.length < 2) return;
      const short = this.rest[1] & 0x7f;
      const start = short === 126 ? 4 : 2;
      const size = short === 126 ? this.rest.length >= 4 && this.rest.readUInt16BE(2) : short;
      if (size === false || this.rest.length < start + 4 + size) return;
      const mask = this.rest.subarray(start, start + 4);
      const payload = Buffer.from(this.rest.subarray(start + 4, start + 4 + size)).map((byte, i) => byte ^ mask[i % 4]);
      const opcode = this.rest[0] & 0xf;
      this.rest = this.rest.subarray(start + 4 + size);
      if (opcode === 1) this.emit('message', { data: payload.toString() });
      else if (opcode === 8) {
        this.frame(8, payload);
        this.tcp.end();
      }
    }
  }
}

server.on('upgrade', (incoming, tcp) => {
  const key = createHash('sha1')
    .update(`${incoming.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64');
  tcp.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`,
  );
  const url = new URL(incoming.url, 'http://server');
  const request = new Request(url, { headers: { 'x-handshake': 'yes' } });
  const socket = new Socket(tcp);
  if (url.searchParams.has('offset')) {
    resumeWebSocketStream(socket, { adapter: memoryStream(request) });
    return;
  }
  toWebSocketStream(socket, request, {
    onRun: ({ threadId, runId }) => answer(threadId, runId),
    ...(url.pathname.startsWith('/durable') ? { durability: (turn) => memoryStream(turn.request) } : {}),
  });
});

server.listen(0, '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`));
process.stdin.on('end', () => process.exit()).resume();
