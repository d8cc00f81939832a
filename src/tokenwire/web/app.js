/** The page: its rooms made and joined. */

import { Chat } from "./chat.js";
import { Choices } from "./choices.js";
import { Composer } from "./composer.js";
import { byId } from "./dom.js";
import { Inspector } from "./inspector.js";
import { KeyForm } from "./key-form.js";
import { FollowingScroller } from "./scroll.js";
import { themeToggle } from "./theme.js";
import { Transcript } from "./transcript.js";

const jump = byId("jump");
const scroller = new FollowingScroller(byId("scroller"), byId("column"), (following) => {
  jump.hidden = following;
});

const inspector = new Inspector();
const transcript = new Transcript(byId("messages"), { retry });
const choices = new Choices(
  {
    model: /** @type {HTMLSelectElement} */ (byId("model")),
    persona: /** @type {HTMLSelectElement} */ (byId("persona")),
  },
  () => {
    byId("greeting").textContent = choices.greeting || "What is on your mind?";
    byId("description").textContent = choices.description;
    byId("trouble-text").textContent = choices.trouble;
    byId("trouble").hidden = !choices.trouble;
  },
);
const composer = new Composer(
  {
    form: /** @type {HTMLFormElement} */ (byId("composer")),
    input: /** @type {HTMLTextAreaElement} */ (byId("input")),
    send: /** @type {HTMLButtonElement} */ (byId("send")),
    stop: /** @type {HTMLButtonElement} */ (byId("stop")),
  },
  { send, stop: () => chat.stop() },
);
const chat = new Chat({
  transcript,
  inspector,
  choices,
  report: ({ empty, running, announcement }) => {
    byId("welcome").hidden = !empty;
    byId("announcer").textContent = announcement;
    composer.running = running;
  },
});

const keyForm = new KeyForm(
  {
    form: /** @type {HTMLFormElement} */ (byId("key-form")),
    field: /** @type {HTMLInputElement} */ (byId("key")),
    note: byId("key-note"),
    forget: byId("forget-key"),
  },
  {
    check: () => choices.load(),
    changed: (asking) => {
      byId("composer").hidden = asking;
      byId("starters").hidden = asking;
      if (!asking) composer.focus();
    },
  },
);

/** @param {string} text */
function send(text) {
  chat.send(text);
  scroller.follow();
}

function retry() {
  chat.retry();
  scroller.follow();
  // The button that was pressed is gone.
  composer.focus();
}

themeToggle(byId("theme"));
jump.addEventListener("click", () => {
  scroller.follow();
  composer.focus();
});
byId("new-chat").addEventListener("click", () => {
  chat.clear();
  choices.load(); // a model's health changes
  composer.focus();
});
byId("forget-key").addEventListener("click", () => {
  chat.stop(); // while the key is there to say so
  keyForm.forget();
});
byId("starters").addEventListener("click", ({ target }) => {
  const starter = target instanceof Element ? target.closest("button") : null;
  if (!starter) return;
  send(starter.dataset.prompt ?? "");
  composer.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
  if (inspector.contains(event.target)) inspector.close();
  else chat.stop();
});
addEventListener("pagehide", () => chat.leave());

// Some on-screen keyboards cover the page without resizing it; then only this viewport knows what can be seen.
const viewport = window.visualViewport;
viewport?.addEventListener("resize", () => {
  document.documentElement.style.setProperty("--viewport-height", `${viewport.height * viewport.scale}px`);
});

chat.restore();
choices.load();
composer.focus();
