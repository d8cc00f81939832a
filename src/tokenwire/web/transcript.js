/** The conversation on show. */

import { element, icon } from "./dom.js";
import { copyFrom } from "./clipboard.js";
import { formatPace } from "./metrics.js";
import { MarkdownView } from "./markdown/view.js";

/** @typedef {import("./answer.js").Message} Message */

export class Transcript {
  #list;
  /** @type {Map<string, AnswerView>} */
  #answers = new Map();
  /** @type {Set<Message>} */
  #stale = new Set();

  /**
   * @param {HTMLElement} list
   * @param {{ retry(): void }} actions
   */
  constructor(list, { retry }) {
    this.#list = list;
    list.addEventListener("click", ({ target }) => {
      const button = target instanceof Element ? target.closest("button") : null;
      if (!button) return;
      if (button.matches(".code .copy")) {
        copyFrom(button, button.closest(".code")?.querySelector("code")?.textContent ?? "");
      } else if (button.matches(".retry")) retry();
    });
  }

  /** @param {Message[]} messages */
  show(messages) {
    this.#answers.clear();
    this.#list.replaceChildren();
    for (const message of messages) this.add(message);
  }

  /** @param {Message} message */
  add(message) {
    if (message.role === "user") {
      const heading = element("h2", { class: "visually-hidden" }, "You said");
      const text = element("div", { class: "bubble" }, message.content);
      this.#list.append(element("article", { class: "message user" }, heading, text));
      return;
    }
    const view = new AnswerView(message);
    this.#answers.set(message.id, view);
    this.#list.append(view.root);
    view.update(message);
  }

  /** @param {Message} message */
  remove(message) {
    this.#answers.get(message.id)?.root.remove();
    this.#answers.delete(message.id);
  }

  /**
   * Show what changed in an answer, at the next frame: many deltas cost one rendering.
   *
   * @param {Message} message
   */
  update(message) {
    if (!this.#stale.size) requestAnimationFrame(() => this.#render());
    this.#stale.add(message);
  }

  /**
   * @param {Message} message
   * @param {string} text what its connection is doing; empty when all is well
   */
  setConnection(message, text) {
    this.#answers.get(message.id)?.setConnection(text);
  }

  #render() {
    for (const message of this.#stale) this.#answers.get(message.id)?.update(message);
    this.#stale.clear();
  }
}

class AnswerView {
  #markdown;
  #thoughts;
  #reasoning = element("details", { class: "reasoning", hidden: true });
  #reasoningLabel = element("span");
  #content = element("div", { class: "prose" });
  #problem = element("div", { class: "problem", role: "alert", hidden: true });
  #foot = element("div", { class: "foot" });
  #copy = element("button", { type: "button", class: "quiet", "aria-label": "Copy answer", title: "Copy answer" });
  #connection = element("span", { class: "connection" });
  #about = element("span", { class: "about" });

  /** @param {Message} message */
  constructor(message) {
    const thoughts = element("div", { class: "prose" });
    this.#reasoning.append(element("summary", {}, icon("chevron"), this.#reasoningLabel), thoughts);
    this.#thoughts = new MarkdownView(thoughts);
    this.#markdown = new MarkdownView(this.#content);
    this.#copy.append(icon("copy"));
    this.#copy.addEventListener("click", () => copyFrom(this.#copy, message.content));
    const again = element("button", { type: "button", class: "quiet retry again", "aria-label": "Answer again" });
    again.title = "Answer again";
    again.append(icon("again"));
    this.#foot.append(element("span", { class: "actions" }, this.#copy, again), this.#about, this.#connection);
    this.root = element(
      "article",
      { class: "message assistant" },
      element("h2", { class: "visually-hidden" }, "Answer"),
      this.#reasoning,
      this.#content,
      this.#problem,
      this.#foot,
    );
  }

  /** @param {Message} message */
  update(message) {
    const open = message.status === "running";
    this.root.dataset.status = message.status;
    this.root.setAttribute("aria-busy", String(open));
    this.root.classList.toggle("waiting", open && !message.content);
    this.#reasoning.hidden = !message.reasoning;
    if (message.reasoning) {
      const thinking = open && !message.content;
      this.#reasoning.classList.toggle("thinking", thinking);
      this.#reasoningLabel.textContent = thinking ? "Thinking…" : "Thoughts";
      this.#thoughts.render(message.reasoning, { open: thinking });
    }
    this.#markdown.render(message.content, { open });
    this.#copy.hidden = !message.content;
    this.#showProblem(message);
    this.#about.textContent = about(message);
    if (!open) this.setConnection("");
  }

  /** @param {string} text */
  setConnection(text) {
    this.#connection.textContent = text;
  }

  /** @param {Message} message */
  #showProblem({ error, status }) {
    const failed = status === "failed" && error !== undefined;
    // An alert that is filled again is read out again.
    if (this.#problem.hidden === !failed) return;
    this.#problem.hidden = !failed;
    this.#problem.replaceChildren();
    if (failed) {
      const retry = element("button", { type: "button", class: "retry" }, icon("again"), "Retry");
      this.#problem.append(icon("alert"), element("p", {}, error.message), retry);
    }
  }
}

/**
 * The line under an answer.
 *
 * @param {Message} message
 */
function about({ status, notice, model, tokens, tokensPerSecond }) {
  if (status === "running" || status === "failed") return "";
  return [
    status === "stopped" ? "Stopped" : notice,
    model,
    tokens ? `${tokens} ${tokens === 1 ? "token" : "tokens"}` : "",
    tokensPerSecond ? `${formatPace(tokensPerSecond)} tokens/s` : "",
  ]
    .filter(Boolean)
    .join(" · ");
}
