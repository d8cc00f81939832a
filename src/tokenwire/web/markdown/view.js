/** Markdown that is still being written, shown in place. */

import { morph } from "../dom.js";
import { blocks } from "./blocks.js";

/** A last line of nothing but marks does not say yet what it will be. */
const UNDECIDED = /^[\s>#*_`~|+=-]*$|^\s*\d+[.)]?\s*$/;

export class MarkdownView {
  #root;
  #source = "";
  /** @type {number[]} the first line of each block on show */
  #starts = [];

  /** @param {HTMLElement} root the element whose children this view owns */
  constructor(root) {
    this.#root = root;
  }

  /**
   * Show `source`. While it grows, only the last block is read again.
   *
   * @param {string} source
   * @param {{ open?: boolean }} [options] open: more text is to come
   */
  render(source, { open = false } = {}) {
    if (!open || !source.startsWith(this.#source)) this.#starts = [];
    this.#source = source;
    const lines = source.split(/\r?\n/);
    if (open && UNDECIDED.test(lines[lines.length - 1])) lines.pop();
    const settled = Math.max(this.#starts.length - 1, 0);
    const first = this.#starts[settled] ?? 0;
    const tail = blocks(lines.slice(first), open);
    morph(this.#root, tail.map(({ node }) => node), settled);
    this.#starts = this.#starts.slice(0, settled).concat(tail.map(({ line }) => first + line));
  }
}
