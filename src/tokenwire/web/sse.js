/**
 * An incremental reader of server-sent events.
 *
 * Text may be cut anywhere, line ends may be LF, CR LF or CR, and comments and unknown fields are skipped,
 * as the HTML standard says. Unlike `EventSource` it names the id of each event, not the last one seen.
 */

/** @typedef {{ id: string | null, data: string }} ServerSentEvent */

export class ServerSentEventParser {
  #rest = "";
  /** @type {string[]} */
  #data = [];
  /** @type {string | null} */
  #id = null;

  /**
   * @param {string} text the next piece of the stream
   * @returns {ServerSentEvent[]} the events it completes
   */
  feed(text) {
    const events = [];
    this.#rest += text;
    // A CR at the very end may be half of a CR LF: leave it for the next piece.
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line) this.#field(line);
      else if (this.#data.length) {
        events.push({ id: this.#id, data: this.#data.join("\n") });
        this.#data = [];
        this.#id = null;
      }
    }
    return events;
  }

  /** @param {string} line */
  #field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "id") this.#id = value || null;
  }
}
