import * as legacy from './legacy/client.mjs';
import * as modern from './new/client.mjs';
import * as adapters from './adapters.mjs';
import { SocketTap } from './sockettap.mjs';
import { Wiretap } from './wiretap.mjs';

const generations = { legacy, new: modern };
const PATIENCE_MS = 15_000;

/** Records that survive the ChatClient, as localStorage survives the page. */
class Storage {
  records;
  writable = true;

  constructor(records = {}) {
    this.records = structuredClone(records);
  }

  getItem = (id) => this.records[id] ?? null;
  setItem = (id, record) => {
    if (this.writable) this.records[id] = JSON.parse(JSON.stringify(record));
  };
  removeItem = (id) => {
    if (this.writable) delete this.records[id];
  };
}

/** One application with one chat: a real ChatClient, driven by a scenario's steps. */
class Chat {
  calls = [];
  chunks = [];
  joined = [];
  underway = [];

  constructor(scenario, tell) {
    this.scenario = scenario;
    this.tell = tell;
    this.library = generations[scenario.generation];
    this.storage = new Storage(scenario.storage);
    this.overSocket = scenario.framing === 'websocket';
    this.keyring = scenario.byok && this.library.defineByok();
    this.keyring?.setServerCoverage(true); // it asks without a key, too
    this.tap = this.overSocket ? new SocketTap(scenario.cuts) : new Wiretap(scenario.framing, scenario.cuts);
    this.open();
  }

  open() {
    this.chunks = [];
    const { ChatClient, fetchServerSentEvents, fetchHttpStream, webSocket, stream } = this.library;
    const { framing, url, options, client } = this.scenario;
    const { adapter = this.overSocket ? 'ownWebSocket' : 'withStaticOptions' } = this.scenario;
    const connect = { sse: fetchServerSentEvents, ndjson: fetchHttpStream, websocket: webSocket }[framing];
    const { fetch, WebSocket } = this.tap;
    this.connection = adapters[adapter]({ connect, stream, url, options, fetch, WebSocket });
    const called = (name) => (...values) => this.calls.push([name, ...values]);
    this.client = new ChatClient({
      ...client,
      connection: this.connection,
      ...(this.scenario.storage && { persistence: this.storage }),
      ...(this.keyring && { byok: this.keyring, byokProvider: () => this.scenario.byok }),
      onChunk: (chunk) => this.chunks.push(chunk),
      onFinish: called('onFinish'),
      onError: (error) => this.calls.push(['onError', error.message]),
      onStatusChange: called('onStatusChange'),
      onCustomEvent: called('onCustomEvent'),
    });
  }

  /** Lets something go on beside the steps; `settle` waits for it and raises its error. */
  beside(promise) {
    promise.catch(() => {});
    this.underway.push(promise);
  }

  get runId() {
    return this.chunks.findLast((chunk) => chunk.type === 'RUN_STARTED')?.runId;
  }

  /** The text of the answer under way. */
  get text() {
    const { role, parts } = this.client.getMessages().at(-1) ?? {};
    if (role !== 'assistant') return '';
    return parts.filter((part) => part.type === 'text').map((part) => part.content).join('');
  }

  async until(state, holds) {
    const deadline = Date.now() + PATIENCE_MS;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error(`waited in vain for ${state}: ${JSON.stringify(this.result())}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  result() {
    return {
      messages: this.client.getMessages(),
      status: this.client.getStatus(),
      loading: this.client.getIsLoading(),
      error: this.client.getError()?.message ?? null,
      calls: this.calls,
      chunks: this.chunks,
      joined: this.joined,
      requests: this.tap.requests,
      storage: this.storage.records,
      prompt: this.keyring?.getSnapshot().prompt ?? null,
    };
  }
}

const steps = {
  send: (chat, content, body) => chat.client.sendMessage(content, body),
  start: (chat, content, body) => chat.beside(chat.client.sendMessage(content, body)),
  sendInVain: (chat, content, body) =>
    chat.client.sendMessage(content, body).catch(({ name, provider }) => chat.calls.push(['rejected', name, provider])),
  settle: (chat) => Promise.all(chat.underway),
  stop: (chat) => chat.client.stop(),
  regenerate: (chat) => chat.client.reload(),
  attach: (chat) => chat.client.attach(),
  tell: (chat, word) => chat.tell(word),
  bringKey: (chat, key) => chat.keyring.update(chat.scenario.byok, key),

  untilText: (chat, text) => chat.until(`text ${text}`, () => chat.text.includes(text)),
  untilEvents: (chat, count) => chat.until(`${count} events`, () => chat.chunks.length >= count),
  untilJoined: (chat, count) => chat.until(`${count} joined events`, () => chat.joined.length >= count),
  untilHeld: (chat) => chat.until('a held response', () => chat.chunks.length >= chat.tap.held),
  untilIdle: (chat) => chat.until('an idle client', () => !chat.client.getIsLoading()),

  untilClosed: (chat) => chat.until('closed sockets', () => chat.tap.requests.every(({ code }) => code !== null)),

  /** The page goes away in mid-flight and comes back with what its storage held at that moment. */
  reloadPage(chat) {
    chat.storage.writable = false;
    chat.tap.close();
    chat.client.dispose();
    chat.storage = new Storage(chat.storage.records);
    chat.open();
    chat.client.attach();
  },

  /** Reads the run through the adapter's joinRun, as a second tab would. */
  join(chat) {
    const join = async () => {
      for await (const chunk of chat.connection.joinRun(chat.runId)) chat.joined.push(chunk);
    };
    chat.beside(join());
  },

  /** Asks for several runs at once on the one connection, and reads until all of them have ended. */
  async askAtOnce(chat, ...runIds) {
    const over = new AbortController();
    const subscription = chat.connection.subscribe(over.signal);
    for (const runId of runIds) {
      const messages = [{ id: runId, role: 'user', parts: [{ type: 'text', content: runId }] }];
      await chat.connection.send(messages, {}, over.signal, { threadId: 'thread-1', runId });
    }
    const open = new Set(runIds);
    for await (const chunk of subscription) {
      chat.joined.push(chunk);
      if (chunk.type === 'RUN_FINISHED') open.delete(chunk.runId);
      if (!open.size) break;
    }
  },

  /** Posts the first request once more, headers and body as they were. */
  repeat(chat) {
    const { url, method, headers, body } = chat.tap.requests[0];
    const again = chat.tap.fetch(url, { method, headers, body: JSON.stringify(body) });
    chat.beside(again.then((response) => response.text()));
  },

  async cancel(chat, base) {
    const response = await chat.tap.fetch(`${base}/runs/${chat.runId}/cancel`, { method: 'POST' });
    await response.text();
  },
};

/** Plays `scenario.steps`, a list of `[step, ...arguments]`, and says what application and network saw. */
export async function chat(scenario, tell) {
  const app = new Chat(scenario, tell);
  for (const [step, ...values] of scenario.steps) await steps[step](app, ...values);
  return app.result();
}
