/**
 * A `WebSocketImpl` over real sockets that keeps what it saw and breaks connections where it is told.
 *
 * `cuts[n]` closes the n-th socket after `after` events.
 */
export class SocketTap {
  requests = [];
  #open = new Set();

  constructor(cuts = []) {
    const tap = this;
    this.WebSocket = class extends WebSocket {
      #request = { method: 'WEBSOCKET', url: '', sent: [], received: [], code: null };
      #cut = cuts[tap.requests.length];
      #broken = false;

      constructor(url, protocols = []) {
        super(url, protocols);
        this.#request.url = url;
        tap.requests.push(this.#request);
        tap.#open.add(this);
        this.addEventListener('close', ({ code }) => {
          this.#request.code = code;
          tap.#open.delete(this);
        });
      }

      send(frame) {
        this.#request.sent.push(JSON.parse(frame));
        super.send(frame);
      }

      set onmessage(listener) {
        super.onmessage = (event) => {
          if (this.#broken) return;
          const value = JSON.parse(event.data);
          if (value.type !== 'ping') this.#request.received.push(value);
          this.#broken = this.#request.received.length === this.#cut?.after;
          listener(event);
          if (this.#broken) this.close();
        };
      }
    };
  }

  /** Closes every socket, as a browser does with the page that owned them. */
  close() {
    for (const socket of this.#open) socket.close();
  }
}
