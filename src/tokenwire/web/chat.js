/** The conversation: what was said, the run under way, and what the reader may do about it. */

import { applyEvent, fail, rewind } from "./answer.js";
import { Metrics } from "./metrics.js";
import { Run, RunFailure } from "./run.js";
import { loadConversation, newConversation, newId, saveConversation } from "./store.js";

/** @typedef {import("./answer.js").Message} Message */

export class Chat {
  #transcript;
  #inspector;
  #choices;
  #report;
  #conversation = loadConversation();
  /** @type {Run | null} the run whose answer is last in the conversation, while it can be followed */
  #run = null;
  /** @type {Metrics | null} */
  #metrics = null;

  /**
   * @param {{
   *   transcript: import("./transcript.js").Transcript,
   *   inspector: import("./inspector.js").Inspector,
   *   choices: import("./choices.js").Choices,
   *   report(change: { empty: boolean, running: boolean, announcement: string }): void,
   * }} rooms `report` is told of every change of state, with what a screen reader should say of it
   */
  constructor({ transcript, inspector, choices, report }) {
    this.#transcript = transcript;
    this.#inspector = inspector;
    this.#choices = choices;
    this.#report = report;
  }

  get running() {
    return this.#last?.status === "running";
  }

  /** Show the stored conversation, and join the run that was under way when the page was left. */
  restore() {
    const { messages, run } = this.#conversation;
    this.#transcript.show(messages);
    const answer = this.#last;
    if (!answer || answer.role !== "assistant" || !run) {
      this.#announce("");
      return;
    }
    this.#run = new Run(run.id, null);
    this.#metrics = new Metrics(run, { replayed: true });
    this.#inspector.begin(this.#metrics);
    this.#inspector.note("joining after a reload");
    this.#follow(this.#run, answer, this.#metrics);
    this.#transcript.setConnection(answer, "Rejoining…");
  }

  /** @param {string} text */
  send(text) {
    if (this.running) return;
    this.#add({ id: newId("message"), role: "user", content: text });
    this.#ask();
  }

  /** Follow the failed run again if it can still be had, else ask again. */
  retry() {
    const answer = this.#last;
    if (this.running || answer?.role !== "assistant") return;
    if (answer.error?.resumable && this.#run && this.#metrics) {
      this.#inspector.note("following the run again");
      this.#follow(this.#run, answer, this.#metrics);
      return;
    }
    this.#conversation.messages.pop();
    this.#transcript.remove(answer);
    this.#ask();
  }

  async stop() {
    const run = this.#run;
    const answer = this.#last;
    if (!run || !answer || !this.running) return;
    answer.status = "stopped";
    this.#inspector.note("stopped");
    this.#settle(answer);
    await run.stop();
  }

  clear() {
    this.stop();
    this.#run = null;
    this.#conversation = newConversation();
    saveConversation(this.#conversation);
    this.#transcript.show([]);
    this.#announce("New chat");
  }

  /** Keep what was said of an answer under way, in case its run is gone when the page is back. */
  leave() {
    if (this.running) saveConversation(this.#conversation);
  }

  get #last() {
    return this.#conversation.messages.at(-1);
  }

  /** @param {Message} message */
  #add(message) {
    this.#conversation.messages.push(message);
    this.#transcript.add(message);
  }

  #ask() {
    const id = newId("run");
    const input = {
      threadId: this.#conversation.thread,
      runId: id,
      state: {},
      messages: this.#history(),
      tools: [],
      context: [],
      forwardedProps: this.#choices.forwarded,
    };
    this.#conversation.run = { id, sent: Date.now() };
    /** @type {Message} */
    const answer = { id: newId("message"), role: "assistant", content: "", status: "running" };
    this.#add(answer);
    this.#run = new Run(id, input);
    this.#metrics = new Metrics(this.#conversation.run);
    this.#inspector.begin(this.#metrics);
    this.#follow(this.#run, answer, this.#metrics);
  }

  /** What the model is told of the conversation: an answer that never came is not part of it. */
  #history() {
    return this.#conversation.messages
      .filter(({ content }) => content)
      .map(({ id, role, content }) => ({ id, role, content }));
  }

  /**
   * @param {Run} run
   * @param {Message} answer
   * @param {Metrics} metrics
   */
  async #follow(run, answer, metrics) {
    answer.status = "running";
    delete answer.error;
    this.#transcript.update(answer);
    this.#transcript.setConnection(answer, "");
    saveConversation(this.#conversation);
    this.#announce("Waiting for the answer");
    try {
      await run.follow({
        begin: () => {
          rewind(answer);
          this.#transcript.setConnection(answer, "");
        },
        event: (event, offset) => {
          applyEvent(answer, event);
          metrics.record(event);
          this.#remember(metrics);
          this.#inspector.event(event, offset);
          this.#transcript.update(answer);
        },
        connection: (state) => {
          this.#transcript.setConnection(answer, state === "lost" ? "Reconnecting…" : "");
          this.#inspector.note(state === "lost" ? "connection lost, reconnecting" : "reconnected");
          this.#announce(state === "lost" ? "Reconnecting" : "Reconnected");
        },
      });
    } catch (error) {
      const failure = error instanceof RunFailure ? error : new RunFailure("Something went wrong.", "page");
      if (failure !== error) console.error(error);
      fail(answer, failure.message, failure.resumable);
      this.#inspector.note(`failed: ${failure.code}`);
    }
    // A key that comes to its end takes the answer with it: whether that was it, the server knows.
    if (answer.status === "failed") this.#choices.load();
    // Whoever stopped the run has settled its answer.
    if (!run.stopped) this.#settle(answer);
  }

  /** @param {Metrics} metrics */
  #remember({ firstToken }) {
    const pointer = this.#conversation.run;
    if (pointer && firstToken !== null) pointer.firstToken = firstToken;
  }

  /** @param {Message} answer whose run is over, or out of reach */
  #settle(answer) {
    if (!answer.error?.resumable) this.#conversation.run = null;
    if (this.#metrics) {
      answer.tokens = this.#metrics.tokens;
      answer.tokensPerSecond = this.#metrics.tokensPerSecond ?? undefined;
    }
    this.#transcript.update(answer);
    saveConversation(this.#conversation);
    this.#announce(
      { finished: `Answer: ${answer.content}`, stopped: "Stopped", failed: "", running: "" }[answer.status ?? "failed"],
    );
  }

  /** @param {string} announcement */
  #announce(announcement) {
    const empty = !this.#conversation.messages.length;
    this.#report({ empty, running: this.running, announcement });
  }
}
