/** Which model answers, and as whom. */

import { access, asksWho } from "./access.js";
import { element } from "./dom.js";
import { loadSetting, saveSetting } from "./store.js";

/** @typedef {{ name: string, description?: string, greeting?: string, status?: "ok" | "degraded" | "down" }} Choice */

const TROUBLE = { degraded: "is having trouble", down: "does not answer at the moment" };

export class Choices {
  #model;
  #persona;
  /** @type {Choice[]} */
  #models = [];
  /** @type {Choice[]} */
  #personas = [];
  #default = "";
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
    const response = await access.fetch("models").catch(() => null);
    // What was on offer to a key is nobody else's to see.
    if (response && asksWho(response)) this.#show({});
    const offer = response?.ok ? await response.json().catch(() => null) : null;
    if (offer) this.#show(offer);
  }

  /** @param {{ default?: string, models?: Choice[], personas?: Choice[] }} offer */
  #show(offer) {
    this.#default = offer.default ?? "";
    this.#models = offer.models ?? [];
    this.#personas = offer.personas ?? [];
    const chosen = loadSetting("choice") ?? {};
    const named = label(find(this.#models, this.#default) ?? { name: this.#default });
    fill(this.#model, `Default (${named})`, this.#models, chosen.model, this.#models.length > 1);
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

  /** What is said first, if anything: by the chosen persona, else by whoever answers. */
  get greeting() {
    return this.#chosenPersona?.greeting || this.#answering?.greeting || "";
  }

  /** What there is to know of the persona and of who answers. */
  get description() {
    return [this.#chosenPersona?.description, this.#answering?.description].filter(Boolean).join(" · ");
  }

  /** What is wrong with who answers, if anything. */
  get trouble() {
    const model = this.#answering;
    const status = model?.status ?? "ok";
    return model && status !== "ok" ? `${model.name} ${TROUBLE[status]}.` : "";
  }

  get #chosenPersona() {
    return find(this.#personas, this.#persona.value);
  }

  /** The model that answers, where that is known: a persona may have one of its own. */
  get #answering() {
    return find(this.#models, this.#model.value || (this.#persona.value ? "" : this.#default));
  }
}

/**
 * @param {Choice[]} choices
 * @param {string} wanted
 */
function find(choices, wanted) {
  return choices.find(({ name }) => name === wanted);
}

/** @param {Choice} choice */
function label({ name, status = "ok" }) {
  return status === "ok" ? name : `${name} \u26A0 ${status}`;
}

/**
 * @param {HTMLSelectElement} picker
 * @param {string} none what not choosing is called
 * @param {Choice[]} choices
 * @param {string | undefined} chosen
 * @param {boolean} offered
 */
function fill(picker, none, choices, chosen, offered) {
  const options = choices.map((choice) =>
    element("option", { value: choice.name, title: choice.description ?? "" }, label(choice)),
  );
  picker.replaceChildren(element("option", { value: "" }, none), ...options);
  picker.value = chosen && find(choices, chosen) ? chosen : "";
  /** @type {HTMLElement} */ (picker.parentElement).hidden = !offered;
}
