/** How fast an answer came: the figures of one run. */

const TOKEN_EVENTS = new Set(["TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT"]);

export class Metrics {
  #deltas = 0;
  /** @type {number | null} */
  #reported = null;
  #latest = 0;

  /**
   * @param {{ sent: number, firstToken?: number }} times when the request was sent (epoch milliseconds) and, for a run
   *   that is joined again, how long its first token took
   * @param {{ replayed?: boolean }} [options] replayed: the pace of the events is not the pace of the model
   */
  constructor({ sent, firstToken }, { replayed = false } = {}) {
    this.sent = sent;
    /** Milliseconds from the request to the first token. */
    this.firstToken = firstToken ?? null;
    this.replayed = replayed;
  }

  /**
   * @param {import("./run.js").RunEvent} event
   * @param {number} [now]
   */
  record(event, now = Date.now()) {
    if (TOKEN_EVENTS.has(event.type)) {
      this.#deltas++;
      this.#latest = now;
      if (!this.replayed) this.firstToken ??= now - this.sent;
    }
    if (event.type === "RUN_FINISHED") this.#reported = event.usage?.completionTokens ?? null;
  }

  /** Tokens as the model counted them, else the number of deltas. */
  get tokens() {
    return this.#reported ?? this.#deltas;
  }

  get counted() {
    return this.#reported !== null;
  }

  /** @returns {number | null} null while it cannot be known */
  get tokensPerSecond() {
    if (this.replayed || this.firstToken === null) return null;
    const milliseconds = this.#latest - this.sent - this.firstToken;
    // The clock starts with the first token, so that one is not part of the pace.
    return milliseconds > 0 && this.tokens > 1 ? ((this.tokens - 1) * 1000) / milliseconds : null;
  }
}

/** @param {number} tokensPerSecond */
export function formatPace(tokensPerSecond) {
  return tokensPerSecond.toFixed(tokensPerSecond < 100 ? 1 : 0);
}
