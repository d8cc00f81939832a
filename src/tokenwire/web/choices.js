/** Which model answers, and as whom. */

import { element } from "./dom.js";
import { loadSetting, saveSetting } from "./store.js";

/** @typedef {{ name: string, description?: string, greeting?: string }} Choice */

export class Choices {
  #model;
  #persona;
  /** @type {Choice[]} */
  #personas = [];
  #changed;

  /**
   * @param {{ model: HTMLSelectElement, persona: HTMLSelectElement }} pickers
   * @param {() => void} changed
   */
  constructor({ model, persona }, changed) {
    this.#model = model;
    this.#persona = persona;
    this.#changed = changed;
    for (const picker of [model, persona]) {
      picker.addEventListener("change", () => {
        saveSetting("choice", this.forwarded);
        changed();
      });
    }
  }

  /** Ask the server what there is to choose from. Without its answer there is nothing to choose; the chat goes on. */
  async load() {
    const response = await fetch("models").catch(() => null);
    const offer = response?.ok ? await response.json().catch(() => null) : null;
    if (!offer) return;
    /** @type {Choice[]} */
    const models = offer.models ?? [];
    this.#personas = offer.personas ?? [];
    const chosen = loadSetting("choice") ?? {};
    fill(this.#model, `Default (${offer.default})`, models, chosen.model, models.length > 1);
    fill(this.#persona, "No persona", this.#personas, chosen.persona, this.#personas.length > 0);
    this.#changed();
  }

  /** The fields of the request that carry the choice; the server's own defaults are not named. */
  get forwarded() {
    return {
      ...(this.#model.value ? { model: this.#model.value } : {}),
      ...(this.#persona.value ? { persona: this.#persona.value } : {}),
    };
  }

  /** What the chosen persona says first, if anything. */
  get greeting() {
    return this.#personas.find(({ name }) => name === this.#persona.value)?.greeting ?? "";
  }
}

/**
 * @param {HTMLSelectElement} picker
 * @param {string} none what not choosing is called
 * @param {Choice[]} choices
 * @param {string | undefined} chosen
 * @param {boolean} offered
 */
function fill(picker, none, choices, chosen, offered) {
  const options = choices.map(({ name, description }) =>
    element("option", { value: name, title: description ?? "" }, name),
  );
  picker.replaceChildren(element("option", { value: "" }, none), ...options);
  picker.value = chosen && choices.some(({ name }) => name === chosen) ? chosen : "";
  /** @type {HTMLElement} */ (picker.parentElement).hidden = !offered;
}
