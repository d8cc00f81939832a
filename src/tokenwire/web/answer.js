/** An answer as it grows: what each event of its run does to the message on show. */

/**
 * @typedef {"running" | "finished" | "stopped" | "failed"} AnswerStatus
 * @typedef {{
 *   id: string,
 *   role: "user" | "assistant",
 *   content: string,
 *   reasoning?: string,
 *   status?: AnswerStatus,
 *   error?: { message: string, resumable: boolean },
 *   notice?: string,
 *   model?: string,
 *   tokens?: number,
 *   tokensPerSecond?: number,
 * }} Message
 */

/** @type {Record<string, string>} */
const NOTICES = {
  length: "Cut off at the length limit.",
  content_filter: "Cut off by the content filter.",
};

/**
 * @param {Message} answer
 * @param {import("./run.js").RunEvent} event unknown types change nothing
 */
export function applyEvent(answer, event) {
  switch (event.type) {
    case "TEXT_MESSAGE_START":
      // A run may write several messages, one for each turn of the model; here they are one answer.
      if (answer.content) answer.content += "\n\n";
      break;
    case "TEXT_MESSAGE_CONTENT":
      answer.content += event.delta ?? "";
      break;
    case "REASONING_MESSAGE_CONTENT":
      answer.reasoning = (answer.reasoning ?? "") + (event.delta ?? "");
      break;
    case "RUN_FINISHED":
      answer.status = "finished";
      answer.notice = NOTICES[event.finishReason];
      answer.model = event.model;
      break;
    case "RUN_ERROR":
      fail(answer, event.message ?? "The answer failed.", false);
      break;
  }
}

/**
 * @param {Message} answer
 * @param {string} message
 * @param {boolean} resumable whether the same run can still be followed
 */
export function fail(answer, message, resumable) {
  answer.status = "failed";
  answer.error = { message, resumable };
}

/**
 * Forget what was said so far: the run is told from its beginning.
 *
 * @param {Message} answer
 */
export function rewind(answer) {
  answer.content = "";
  answer.reasoning = "";
}
