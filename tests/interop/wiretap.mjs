const EVENTS = { sse: /^data:[^\n]*\n/gm, ndjson: /^[^\n]+\n/gm };

/**
 * A `fetchClient` over real sockets that keeps what it saw and breaks responses where it is told.
 *
 * `cuts[n]` breaks the n-th request's response after `after` whole events and `bytes` bytes more:
 * by an `error`, by a clean `end`, or by a `hold`, silence on a connection that stays open.
 */
export class Wiretap {
  requests = [];
  held = Infinity;
  #framing;
  #cuts;
  #sockets = new Set();

  constructor(framing, cuts = []) {
    this.#framing = framing;
    this.#cuts = cuts;
  }

  fetch = async (url, init = {}) => {
    const cut = this.#cuts[this.requests.length];
    const request = {
      method: init.method ?? 'GET',
      url: String(url),
      credentials: init.credentials ?? null,
      headers: Object.fromEntries(new Headers(init.headers)),
      body: init.body ? JSON.parse(init.body) : null,
      received: '',
    };
    this.requests.push(request);

    const socket = new AbortController();
    this.#sockets.add(socket);
    const signal = init.signal ? AbortSignal.any([init.signal, socket.signal]) : socket.signal;
    const response = await fetch(url, { ...init, signal });
    request.status = response.status;
    request.responseHeaders = Object.fromEntries(response.headers);
    if (!response.body) return response;

    const { status, statusText, headers } = response;
    return new Response(this.#listen(response.body, request, cut, socket, signal), { status, statusText, headers });
  };

  /** Closes every socket, as a browser does with the page that owned them. */
  close() {
    for (const socket of this.#sockets) socket.abort();
  }

  #listen(body, request, cut, socket, signal) {
    const reader = body.getReader();
    // One character a byte, so that an index into the text is an index into the bytes.
    const latin1 = new TextDecoder('latin1');
    const utf8 = new TextDecoder();
    let arrived = '';
    let broken = false;

    const pull = async (controller) => {
      if (broken) return this.#break(controller, cut, socket, signal);
      const { done, value } = await reader.read();
      if (done) return controller.close();
      const delivered = arrived.length;
      arrived += latin1.decode(value, { stream: true });
      const room = Math.max(0, this.#cutAt(arrived, cut) - delivered);
      broken = room <= value.length;
      const passed = value.subarray(0, room);
      request.received += utf8.decode(passed, { stream: true });
      if (passed.length) controller.enqueue(passed);
      else await pull(controller);
    };
    // No read-ahead: an error must not overtake the events before it.
    return new ReadableStream({ pull, cancel: (reason) => reader.cancel(reason) }, { highWaterMark: 0 });
  }

  #cutAt(arrived, cut) {
    if (!cut) return Infinity;
    const extra = cut.bytes ?? 0;
    if (!cut.after) return extra;
    const last = [...arrived.matchAll(EVENTS[this.#framing])][cut.after - 1];
    return last ? last.index + last[0].length + extra : Infinity;
  }

  #break(controller, cut, socket, signal) {
    if (cut.how === 'hold') {
      this.held = cut.after;
      signal.throwIfAborted();
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    }
    socket.abort();
    return cut.how === 'end' ? controller.close() : controller.error(new TypeError('connection lost'));
  }
}
