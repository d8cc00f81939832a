/** Where the reader writes. */

const TALLEST = 240;

export class Composer {
  #input;
  #send;
  #stop;
  #running = false;
  #touch = matchMedia("(pointer: coarse)");

  /**
   * @param {{
   *   form: HTMLFormElement, input: HTMLTextAreaElement, send: HTMLButtonElement, stop: HTMLButtonElement
   * }} parts
   * @param {{ send(text: string): void, stop(): void }} actions
   */
  constructor({ form, input, send, stop }, actions) {
    this.#input = input;
    this.#send = send;
    this.#stop = stop;
    const submit = () => {
      const text = input.value.trim();
      if (!text || this.#running) return;
      input.value = "";
      this.#resize();
      // The on-screen keyboard would cover the answer.
      if (this.#touch.matches) input.blur();
      else input.focus();
      actions.send(text);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    input.addEventListener("input", () => this.#resize());
    input.addEventListener("keydown", (event) => {
      // An on-screen keyboard has no Shift+Enter: there Enter is a new line and the button sends.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || this.#touch.matches) return;
      event.preventDefault();
      submit();
    });
    stop.addEventListener("click", ({ detail }) => {
      // The second click of a double click on Send lands here.
      if (detail <= 1) actions.stop();
    });
    this.#resize();
  }

  /** @param {boolean} running whether an answer is under way: Stop takes the place of Send */
  set running(running) {
    const stopHadFocus = document.activeElement === this.#stop;
    this.#running = running;
    this.#stop.hidden = !running;
    this.#send.hidden = running;
    if (stopHadFocus && !running) this.focus();
  }

  focus() {
    if (!this.#touch.matches) this.#input.focus();
  }

  #resize() {
    const { style } = this.#input;
    style.height = "auto";
    style.height = `${Math.min(this.#input.scrollHeight, TALLEST)}px`;
    this.#send.disabled = !this.#input.value.trim();
  }
}
