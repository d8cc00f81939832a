/**
 * The connection adapters of TanStack AI's guide for custom backends, each as an application would
 * paste it. `fetch` is the wiretap's, so that what they send is seen.
 */

/** fetchServerSentEvents / fetchHttpStream with a static URL and static options. */
export function withStaticOptions({ connect, url, fetch, options }) {
  return connect(url, { ...options, fetchClient: fetch });
}

/** The same with functions: a session in the URL and a token, both new for each request. */
export function withDynamicOptions({ connect, url, fetch, options }) {
  let sessionId = 0;
  let token = 0;
  const getAccessToken = async () => `token-${++token}`;
  return connect(
    () => `${url}?session=${++sessionId}`,
    async () => ({
      ...options,
      headers: { Authorization: `Bearer ${await getAccessToken()}` },
      fetchClient: fetch,
    }),
  );
}

/** webSocket(): the newest client's own. */
export function ownWebSocket({ connect, url, options, WebSocket }) {
  return connect(url, { ...options, WebSocketImpl: WebSocket });
}

async function* readLines(response) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let buffer = '';
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    buffer += decoder.decode(value, { stream: true });
    const lines = buffer.split('\n');
    buffer = lines.pop() || '';
    for (const line of lines) {
      if (line.trim()) yield JSON.parse(line);
    }
  }
}

/** `stream()` around an async generator that reads NDJSON. */
export function direct({ stream, url, fetch }) {
  return stream(async function* (messages, data) {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ messages, ...data }),
    });
    yield* readLines(response);
  });
}

/** A hand-written `connect` adapter that asks again when the connection breaks; its pauses are shortened. */
export function resilient({ url, fetch }) {
  return {
    async *connect(messages, data, abortSignal) {
      const maxRetries = 3;
      let attempt = 0;
      while (attempt < maxRetries) {
        try {
          const response = await fetch(url, {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ messages, ...data }),
            signal: abortSignal,
          });
          if (!response.ok) throw new Error(`HTTP ${response.status}`);
          yield* readLines(response);
          return;
        } catch (error) {
          if (abortSignal?.aborted) throw error;
          attempt++;
          if (attempt >= maxRetries) throw error;
          await new Promise((resolve) => setTimeout(resolve, 10 * 2 ** attempt));
        }
      }
    },
  };
}

/** A subscribe/send adapter: one lasting subscription, answers pushed into it. */
export function push({ url, fetch }) {
  const queue = [];
  let wake = () => {};
  return {
    async *subscribe(abortSignal) {
      abortSignal?.addEventListener('abort', () => wake());
      while (!abortSignal?.aborted) {
        if (queue.length) yield queue.shift();
        else await new Promise((resolve) => (wake = resolve));
      }
    },
    async send(messages, data, abortSignal) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ messages, ...data }),
        signal: abortSignal,
      });
      for await (const event of readLines(response)) {
        queue.push(event);
        wake();
      }
    },
  };
}

/** The guide's `connect` adapter around a WebSocket: one for each request, at its end when that is closed. */
export function connectSocket({ url, WebSocket }) {
  return {
    async *connect(messages, data, abortSignal) {
      const ws = new WebSocket(url);
      await new Promise((resolve, reject) => {
        ws.onopen = () => resolve();
        ws.onerror = (error) => reject(error);
      });
      ws.send(JSON.stringify({ messages, ...data }));

      const queue = [];
      let wake = null;
      let done = false;
      const end = () => {
        done = true;
        wake?.();
      };
      ws.onmessage = (event) => {
        queue.push(JSON.parse(event.data));
        wake?.();
      };
      ws.onclose = end;
      ws.onerror = end;
      abortSignal?.addEventListener('abort', () => ws.close());

      while (!done || queue.length > 0) {
        if (queue.length > 0) yield queue.shift();
        else await new Promise((resolve) => (wake = resolve));
      }
    },
  };
}

/** The guide's subscribe/send adapter over a lasting connection, which is opened when there is none. */
export function pushSocket({ url, WebSocket }) {
  const queue = [];
  let wake = () => {};
  let connection;
  const open = () =>
    new Promise((resolve, reject) => {
      connection = new WebSocket(url);
      connection.onopen = resolve;
      connection.onerror = reject;
      connection.onmessage = (event) => {
        queue.push(JSON.parse(event.data));
        wake();
      };
    });
  return {
    async *subscribe(abortSignal) {
      abortSignal?.addEventListener('abort', () => wake());
      while (!abortSignal?.aborted) {
        if (queue.length) yield queue.shift();
        else await new Promise((resolve) => (wake = resolve));
      }
    },
    async send(messages, data) {
      if (connection?.readyState !== WebSocket.OPEN) await open();
      connection.send(JSON.stringify({ messages, ...data }));
    },
  };
}

/** The guide's first mistake: both modes in one adapter. */
export function bothModes(context) {
  return { ...resilient(context), ...push(context) };
}
