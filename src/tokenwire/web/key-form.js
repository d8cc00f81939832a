/** Where the reader gives a key, while the server wants one; and forgets it. */

import { access } from "./access.js";

const UNREACHABLE = "The server cannot be reached.";
/** @type {Record<import("./access.js").AccessState, string>} */
const NOTES = {
  unknown: "",
  granted: "",
  wanted: "This server asks for a key.",
  refused: "The server does not take this key: it is wrong, has expired or was revoked.",
};
/** What a header can hold. */
const POSSIBLE = /^[\x21-\x7e]+$/;

export class KeyForm {
  #form;
  #field;
  #note;
  #forget;
  #check;
  #changed;

  /**
   * @param {{ form: HTMLFormElement, field: HTMLInputElement, note: HTMLElement, forget: HTMLElement }} parts
   * @param {{ check(): Promise<void>, changed(asking: boolean): void }} actions
   *   `check` asks the server for something that needs the key; `changed` hears whether the reader is asked for one
   */
  constructor({ form, field, note, forget }, { check, changed }) {
    this.#form = form;
    this.#field = field;
    this.#note = note;
    this.#forget = forget;
    this.#check = check;
    this.#changed = changed;
    access.addEventListener("change", () => this.#reflect());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#use(field.value.trim());
    });
    this.#reflect();
  }

  /** Use no key any more. */
  forget() {
    access.use("");
    return this.#check();
  }

  /** @param {string} key */
  async #use(key) {
    if (!POSSIBLE.test(key)) {
      this.#note.textContent = key ? NOTES.refused : NOTES.wanted;
      return;
    }
    access.use(key);
    await this.#check();
    if (access.state === "unknown") this.#note.textContent = UNREACHABLE;
  }

  #reflect() {
    const { state, hasKey } = access;
    this.#forget.hidden = !hasKey;
    this.#note.textContent = NOTES[state];
    // What the server says of a key that was just given is still to come.
    const asking = state === "unknown" ? !this.#form.hidden : state !== "granted";
    if (!asking) this.#field.value = "";
    if (asking === !this.#form.hidden) return;
    this.#form.hidden = !asking;
    this.#changed(asking);
    if (asking) this.#field.focus();
  }
}
