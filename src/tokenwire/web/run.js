/** One run as its reader sees it: send or join, follow across dropped connections, stop, end exactly once. */

import { access, asksWho } from "./access.js";
import { ServerSentEventParser } from "./sse.js";

/** Milliseconds before each attempt in a row that brings nothing new; together about the server's grace period. */
const DELAYS = [250, 500, 1000, 2000, 4000, 8000, 8000];
/** Milliseconds without a byte after which a connection is dead: three heartbeats of the server. */
const SILENCE = 45_000;
const CANCEL_TIMEOUT = 5000;
/** What a proxy answers while the server behind it restarts. */
const PASSING = new Set([502, 503, 504]);

/**
 * @typedef {{ type: string, [field: string]: any }} RunEvent
 * @typedef {{
 *   begin(): void,
 *   event(event: RunEvent, offset: string | null): void,
 *   connection(state: "open" | "lost"): void,
 * }} RunListener `begin` comes before the first event; `connection` speaks of changes after the first contact
 */

export class RunFailure extends Error {
  /**
   * @param {string} message for the reader
   * @param {string} code
   * @param {{ resumable?: boolean }} [options] resumable: following the same run again may still work
   */
  constructor(message, code, { resumable = false } = {}) {
    super(message);
    this.code = code;
    this.resumable = resumable;
  }
}

export class Run {
  #input;
  #abort = new AbortController();
  /** @type {Set<string>} the offsets applied so far; a replay may overlap them */
  #seen = new Set();
  /** @type {string | null} */
  #offset = null;
  #begun = false;

  /**
   * @param {string} id
   * @param {object | null} input the request that starts the run; null joins one that was started before
   */
  constructor(id, input) {
    this.id = id;
    this.#input = input;
  }

  /** Whether the server has had this run, so that not finding it means that it is gone. */
  get #known() {
    return !this.#input || this.#offset !== null;
  }

  get stopped() {
    return this.#abort.signal.aborted;
  }

  /**
   * Follow the run until its terminal event has been delivered or `stop` was called.
   *
   * @param {RunListener} listener
   * @throws {RunFailure} when the run cannot be followed to its end
   */
  async follow(listener) {
    for (let failures = 0; !this.stopped; failures++) {
      const known = this.#seen.size;
      try {
        if (await this.#read(listener, failures > 0)) return;
      } catch (error) {
        if (error instanceof RunFailure && !this.stopped) throw error;
      }
      if (this.stopped) return;
      if (this.#seen.size > known) failures = 0;
      if (!this.#known) {
        throw new RunFailure("The server cannot be reached.", "unreachable", { resumable: true });
      }
      if (failures === DELAYS.length) {
        throw new RunFailure("The connection was lost.", "connection_lost", { resumable: true });
      }
      listener.connection("lost");
      await this.#pause(DELAYS[failures]);
    }
  }

  /** Stop the run on the server, then leave it. */
  async stop() {
    const url = `api/chat/runs/${encodeURIComponent(this.id)}/cancel`;
    const cancelled = access.fetch(url, {
      method: "POST",
      keepalive: true,
      signal: AbortSignal.timeout(CANCEL_TIMEOUT),
    });
    this.#abort.abort();
    // A run that cannot be cancelled by hand ends by itself soon after its last reader has left.
    await cancelled.catch(() => undefined);
  }

  /**
   * Read one connection to its end.
   *
   * @param {RunListener} listener
   * @param {boolean} again
   * @returns {Promise<boolean>} whether the terminal event came
   */
  async #read(listener, again) {
    const silence = new AbortController();
    const signal = AbortSignal.any([this.#abort.signal, silence.signal]);
    let watchdog = setTimeout(() => silence.abort(), SILENCE);
    try {
      const response = await this.#request(signal);
      if (again && PASSING.has(response.status)) return false;
      if (response.status === 404 && this.#known) {
        throw new RunFailure("The server no longer has this answer.", "not_found");
      }
      if (!response.ok || !response.body) throw await refusal(response);
      if (again) listener.connection("open");
      const parser = new ServerSentEventParser();
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => silence.abort(), SILENCE);
        for (const { id, data } of parser.feed(decoder.decode(value, { stream: true }))) {
          if (this.stopped || this.#deliver(listener, id, data)) return true;
        }
      }
      return false;
    } finally {
      clearTimeout(watchdog);
      silence.abort();
    }
  }

  /** @param {AbortSignal} signal */
  #request(signal) {
    /** @type {Record<string, string>} */
    const headers = { "X-Run-Id": this.id };
    if (this.#offset) headers["Last-Event-ID"] = this.#offset;
    if (!this.#input) {
      const query = new URLSearchParams({ offset: "-1", runId: this.id });
      return access.fetch(`api/chat?${query}`, { headers, signal, cache: "no-store" });
    }
    headers["Content-Type"] = "application/json";
    return access.fetch("api/chat", { method: "POST", headers, signal, body: JSON.stringify(this.#input) });
  }

  /**
   * @param {RunListener} listener
   * @param {string | null} offset
   * @param {string} data
   * @returns {boolean} whether this was the terminal event
   */
  #deliver(listener, offset, data) {
    if (offset !== null) {
      if (this.#seen.has(offset)) return false;
      this.#seen.add(offset);
      this.#offset = offset;
    }
    const event = parseEvent(data);
    if (!this.#begun) listener.begin();
    this.#begun = true;
    listener.event(event, offset);
    return event.type === "RUN_FINISHED" || event.type === "RUN_ERROR";
  }

  /**
   * Wait, but no longer than until the network is back or the run is stopped.
   *
   * @param {number} milliseconds
   */
  #pause(milliseconds) {
    return new Promise((resolve) => {
      const awake = new AbortController();
      const wake = () => {
        clearTimeout(timer);
        awake.abort();
        resolve(undefined);
      };
      const timer = setTimeout(wake, milliseconds);
      addEventListener("online", wake, { signal: awake.signal });
      this.#abort.signal.addEventListener("abort", wake, { signal: awake.signal });
    });
  }
}

/**
 * @param {string} data
 * @returns {RunEvent}
 */
function parseEvent(data) {
  try {
    const event = JSON.parse(data);
    if (typeof event?.type === "string") return event;
  } catch {
    // Reported below, together with JSON that is no event.
  }
  throw new RunFailure("The server sent something that is not an event.", "bad_event");
}

/**
 * What the server says about a request it did not take.
 *
 * @param {Response} response
 */
async function refusal(response) {
  const body = await response.json().catch(() => null);
  const { message, code } = body?.error ?? {};
  const resumable = asksWho(response); // with another key it is a request like any other
  if (typeof message === "string") return new RunFailure(message, String(code ?? response.status), { resumable });
  return new RunFailure(`The server refused the request (${response.status}).`, String(response.status));
}
