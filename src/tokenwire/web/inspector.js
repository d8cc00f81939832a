/** What a developer wants to see: the pace of the run, its raw events, and how to reach the server from elsewhere. */

import { copyFrom } from "./clipboard.js";
import { byId, element, icon } from "./dom.js";
import { formatPace } from "./metrics.js";
import { FollowingScroller } from "./scroll.js";
import { loadSetting, saveSetting } from "./store.js";

/** More rows than this slow the page down; older ones stay in the copy. */
const ROW_LIMIT = 1000;

/** @typedef {{ offset: string | null, raw: string }} Recorded */

export class Inspector {
  #dialog = /** @type {HTMLDialogElement} */ (byId("inspector"));
  #toggle = byId("inspector-toggle");
  #list = byId("events");
  #count = byId("event-count");
  #scroller = new FollowingScroller(byId("event-scroller"), this.#list);
  #narrow = matchMedia("(max-width: 60rem)");
  /** @type {Recorded[]} */
  #records = [];
  /** @type {WeakMap<Element, Recorded>} */
  #rows = new WeakMap();
  /** @type {HTMLElement[]} */
  #pending = [];
  /** @type {import("./metrics.js").Metrics | null} */
  #metrics = null;

  constructor() {
    this.#toggle.addEventListener("click", () => (this.#dialog.open ? this.close() : this.#open()));
    byId("inspector-close").addEventListener("click", () => this.close());
    this.#dialog.addEventListener("close", () => this.#reflect());
    // On a phone the backdrop is the dialog's own: a click on it has the dialog itself as its target.
    this.#dialog.addEventListener("click", ({ target }) => target === this.#dialog && this.close());
    this.#narrow.addEventListener("change", () => {
      // A drawer covers the chat, a panel stands beside it: what was open beside must not jump over it.
      if (this.#dialog.open) this.#dialog.close();
      this.#restore();
    });
    byId("copy-events").addEventListener("click", ({ currentTarget }) => {
      const lines = this.#records.map(({ raw }) => raw);
      copyFrom(/** @type {HTMLElement} */ (currentTarget), lines.join("\n"));
    });
    // `toggle` does not bubble.
    this.#list.addEventListener("toggle", ({ target }) => this.#unfold(target), true);
    showLines(byId("connect-lines"), new URL("api/chat", document.baseURI).href);
    this.#restore();
  }

  /** @param {import("./metrics.js").Metrics} metrics of the run that begins */
  begin(metrics) {
    this.#metrics = metrics;
    this.#records = [];
    this.#pending = [];
    this.#list.replaceChildren();
    this.#scroller.follow();
    this.#schedule();
  }

  /**
   * @param {import("./run.js").RunEvent} event
   * @param {string | null} offset
   */
  event(event, offset) {
    const record = { offset, raw: JSON.stringify(event) };
    this.#records.push(record);
    const { type, ...fields } = event;
    const preview = JSON.stringify(fields.delta ?? fields);
    const summary = element(
      "summary",
      {},
      element("span", { class: "seq" }, String(this.#records.length)),
      element("span", { class: "type" }, type),
      element("span", { class: "since" }, this.#sinceSend()),
      element("code", { class: "preview" }, preview),
    );
    const row = element("details", {}, summary);
    this.#rows.set(row, record);
    this.#append(element("li", { class: "event", "data-kind": kindOf(type) }, row));
  }

  /**
   * Something that happened to the connection, not in the run.
   *
   * @param {string} text
   */
  note(text) {
    const since = element("span", { class: "since" }, this.#sinceSend());
    this.#append(element("li", { class: "note" }, element("span", {}, text), since));
  }

  close() {
    saveSetting("inspector", false);
    this.#dialog.close();
    this.#toggle.focus();
  }

  /** @param {EventTarget | null} target */
  contains(target) {
    return target instanceof Node && this.#dialog.contains(target);
  }

  #open() {
    saveSetting("inspector", true);
    if (this.#narrow.matches) this.#dialog.showModal();
    else this.#dialog.show();
    this.#reflect();
    byId("inspector-close").focus();
  }

  #restore() {
    if (!this.#narrow.matches && loadSetting("inspector")) this.#dialog.show();
    this.#reflect();
  }

  #reflect() {
    this.#toggle.setAttribute("aria-expanded", String(this.#dialog.open));
  }

  /** @param {HTMLElement} row */
  #append(row) {
    this.#pending.push(row);
    this.#schedule();
  }

  #schedule() {
    if (this.#pending.length <= 1) requestAnimationFrame(() => this.#render());
  }

  #render() {
    this.#list.append(...this.#pending.splice(0));
    while (this.#list.childElementCount > ROW_LIMIT) this.#list.firstElementChild?.remove();
    this.#count.textContent = String(this.#records.length);
    if (!this.#metrics) return;
    const { firstToken, tokens, counted, tokensPerSecond } = this.#metrics;
    byId("first-token").textContent = firstToken === null ? "–" : `${firstToken} ms`;
    byId("tokens").textContent = tokens ? `${counted ? "" : "≈ "}${tokens}` : "–";
    byId("pace").textContent = tokensPerSecond === null ? "–" : formatPace(tokensPerSecond);
  }

  #sinceSend() {
    return this.#metrics ? `+${Date.now() - this.#metrics.sent} ms` : "";
  }

  /** @param {EventTarget | null} row whose full event is laid out when it is first opened */
  #unfold(row) {
    if (!(row instanceof HTMLDetailsElement) || row.childElementCount > 1) return;
    const record = this.#rows.get(row);
    if (!record) return;
    const offset = record.offset === null ? "no offset" : `offset ${record.offset}`;
    const json = JSON.stringify(JSON.parse(record.raw), null, 2);
    row.append(element("p", { class: "offset" }, offset), element("pre", {}, json));
  }
}

/** @param {string} type */
function kindOf(type) {
  if (type === "RUN_ERROR") return "error";
  if (type.startsWith("RUN_")) return "lifecycle";
  if (type.startsWith("REASONING_") || type.startsWith("STEP_")) return "reasoning";
  return type.startsWith("TEXT_") ? "text" : "other";
}

/**
 * @param {HTMLElement} list
 * @param {string} endpoint
 */
function showLines(list, endpoint) {
  const body = '{"messages":[{"role":"user","content":"Hello"}]}';
  const lines = {
    curl: `curl -N ${endpoint} -d '${body}'`,
    "TanStack AI": `useChat({connection: fetchServerSentEvents('${endpoint}')})`,
    "react-ai-stream": `useAIChat({endpoint: '${endpoint}'})`,
  };
  for (const [name, line] of Object.entries(lines)) {
    const label = `Copy the ${name} line`;
    const copy = element("button", { type: "button", class: "copy", "aria-label": label }, icon("copy"));
    copy.addEventListener("click", () => copyFrom(copy, line));
    list.append(element("dt", {}, name), element("dd", {}, element("code", { tabindex: "0" }, line), copy));
  }
}
