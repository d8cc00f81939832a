/** The reader's key: every request of the page bears it, and what the server says of it is remembered. */

import { loadKey, saveKey } from "./store.js";

/** @typedef {"unknown" | "granted" | "wanted" | "refused"} AccessState what the server said of the key, or of none */

class Access extends EventTarget {
  #key = loadKey();
  /** @type {AccessState} */
  #state = "unknown";

  get state() {
    return this.#state;
  }

  get hasKey() {
    return this.#key !== "";
  }

  /** @param {string} key that is sent from now on; an empty one is none */
  use(key) {
    this.#key = key;
    saveKey(key);
    this.#become("unknown");
  }

  /**
   * `fetch`, in the reader's name. A change of `state` is told as the event `change`.
   *
   * @param {string} url of this server
   * @param {RequestInit & { headers?: Record<string, string> }} [options]
   */
  async fetch(url, options = {}) {
    const key = this.#key;
    const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    const response = await fetch(url, { ...options, headers });
    // What is said of a key says nothing of the one that was given since.
    if (key === this.#key) {
      if (response.ok) this.#become("granted");
      else if (asksWho(response)) this.#become(key ? "refused" : "wanted");
    }
    return response;
  }

  /** @param {AccessState} state */
  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * Whether a response asks who is asking: another 401 is about a provider's key.
 *
 * @param {Response} response
 */
export function asksWho(response) {
  return response.status === 401 && response.headers.has("WWW-Authenticate");
}

export const access = new Access();
