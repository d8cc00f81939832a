/** Markdown inside a line: emphasis, code, links. Everything it does not know stays the text it was. */

import { element } from "../dom.js";

const ESCAPABLE = /[\\`*_{}#+\-.!|~<>"$&]/;
const DELIMITER_TAGS = { "**": "strong", __: "strong", "*": "em", _: "em", "~~": "del" };
const LINE_BREAK = /\\?\n[ \t]*|<br\s*\/?>/iy;
const BARE_URL = /https?:\/\/[^\s<>`]{1,2000}/y;
const TICKS = /`+/y;
const BRACKETED_URL = /<(https?:\/\/[^\s<>]+|mailto:[^\s<>]+)>/y;
const LINK_TITLE = /(?:\s+(?:"[^"]*"|'[^']*'|\([^)]*\)))?/;
const LINK_TARGET = new RegExp(
  String.raw`\(\s*(?:<([^<>\n]*)>|((?:[^\s()\\]|\\.|\([^\s()]*\))*))${LINK_TITLE.source}\s*\)`,
  "y",
);
const LINK_TEXT_LIMIT = 1000;
const DEPTH_LIMIT = 12;

/**
 * @param {string} text
 * @param {boolean} open whether more text may follow: what is opened and not yet closed then counts as closed
 *   at the end, so that half an answer does not flicker between marks and style
 * @returns {Node[]}
 */
export function inline(text, open = false) {
  return new Inline(text, open, 0).parse();
}

class Inline {
  #text;
  #open;
  #depth;
  #at = 0;
  #plain = "";
  /** @type {Node[]} */
  #nodes = [];
  /** Delimiters that have no closer in the rest of the text: looking again would cost quadratic time. */
  #unclosed = new Set();

  /**
   * @param {string} text
   * @param {boolean} open
   * @param {number} depth
   */
  constructor(text, open, depth) {
    this.#text = text;
    this.#open = open;
    this.#depth = depth;
  }

  parse() {
    const special = /[\\`*_~[!<\nh]/g;
    while (this.#at < this.#text.length) {
      special.lastIndex = this.#at;
      const next = special.exec(this.#text)?.index ?? this.#text.length;
      this.#plain += this.#text.slice(this.#at, next);
      this.#at = next;
      if (next < this.#text.length && !this.#span(this.#text[next])) {
        this.#plain += this.#text[next];
        this.#at = next + 1;
      }
    }
    this.#flush();
    return this.#nodes;
  }

  /**
   * Consume one span at the cursor, if there is one.
   *
   * @param {string} character
   */
  #span(character) {
    switch (character) {
      case "\\":
        return this.#lineBreak() || this.#escape();
      case "\n":
        return this.#lineBreak();
      case "`":
        return this.#code();
      case "<":
        return this.#lineBreak() || this.#url(BRACKETED_URL);
      case "h":
        return /\w/.test(this.#text[this.#at - 1] ?? "") ? false : this.#url(BARE_URL);
      case "[":
      case "!":
        return this.#link();
      default:
        return this.#emphasis(character);
    }
  }

  #escape() {
    const next = this.#text[this.#at + 1] ?? "";
    if (!ESCAPABLE.test(next)) return false;
    this.#plain += next;
    this.#at += 2;
    return true;
  }

  #lineBreak() {
    const match = this.#match(LINE_BREAK);
    if (!match) return false;
    this.#plain = this.#plain.replace(/ +$/, "");
    this.#push(element("br"), match[0].length);
    return true;
  }

  #code() {
    const ticks = ticksAt(this.#text, this.#at);
    const start = this.#at + ticks.length;
    let end = this.#unclosed.has(ticks) ? -1 : closingTicks(this.#text, ticks, start);
    if (end < 0 && this.#open) end = this.#text.length;
    if (end < 0) {
      this.#unclosed.add(ticks);
      this.#plain += ticks;
      this.#at = start;
      return true;
    }
    const code = this.#text.slice(start, end).replaceAll("\n", " ");
    const trimmed = /^ .*[^ ].* $/.test(code) ? code.slice(1, -1) : code;
    if (trimmed) this.#push(element("code", {}, trimmed), 0);
    this.#at = Math.min(end + ticks.length, this.#text.length);
    return true;
  }

  /** @param {RegExp} pattern */
  #url(pattern) {
    const match = this.#match(pattern);
    if (!match) return false;
    const url = match[1] ?? trimUrl(match[0]);
    const link = anchor(url, [url.replace(/^mailto:/, "")]);
    if (!link) return false;
    this.#push(link, match[1] ? match[0].length : url.length);
    return true;
  }

  /** A link, or an image as a link to it: the page loads nothing from elsewhere. */
  #link() {
    const bracket = this.#text[this.#at] === "!" ? this.#at + 1 : this.#at;
    if (this.#text[bracket] !== "[" || this.#depth >= DEPTH_LIMIT) return false;
    const end = closingBracket(this.#text, bracket);
    if (end < 0 || this.#text[end + 1] !== "(") return false;
    const label = this.#text.slice(bracket + 1, end);
    LINK_TARGET.lastIndex = end + 1;
    const match = LINK_TARGET.exec(this.#text);
    if (!match) {
      const unfinished = this.#open && !/[)\s]/.test(this.#text.slice(end + 1));
      if (unfinished) this.#pushAll(this.#nested(label), this.#text.length - this.#at);
      return unfinished;
    }
    const children = this.#nested(label);
    const link = anchor(match[1] ?? match[2], children);
    this.#pushAll(link ? [link] : children, end + 1 + match[0].length - this.#at);
    return true;
  }

  /** @param {string} character */
  #emphasis(character) {
    let run = 1;
    while (this.#text[this.#at + run] === character) run++;
    const width = run >= 2 ? 2 : 1;
    const delimiter = character.repeat(width);
    const tag = DELIMITER_TAGS[/** @type {keyof typeof DELIMITER_TAGS} */ (delimiter)];
    const start = this.#at + width;
    if (this.#open && this.#at + run === this.#text.length) {
      this.#at = this.#text.length;
      return true;
    }
    const inWord = /\w/.test(this.#text[this.#at - 1] ?? "");
    const opens =
      tag &&
      run <= 3 &&
      this.#depth < DEPTH_LIMIT &&
      /\S/.test(this.#text[start] ?? "") &&
      !(character === "_" && inWord);
    let end = opens && !this.#unclosed.has(delimiter) ? closingDelimiter(this.#text, delimiter, start) : -1;
    if (end < 0 && opens) {
      this.#unclosed.add(delimiter);
      if (this.#open && !inWord) end = this.#text.length;
    }
    if (end < 0) {
      this.#plain += character.repeat(run);
      this.#at += run;
      return true;
    }
    const unfinished = end === this.#text.length;
    const children = this.#nested(this.#text.slice(start, end), unfinished);
    this.#push(element(tag, {}, children), 0);
    this.#at = unfinished ? end : end + width;
    return true;
  }

  /**
   * @param {string} text
   * @param {boolean} [open]
   */
  #nested(text, open = false) {
    return new Inline(text, open, this.#depth + 1).parse();
  }

  /** @param {RegExp} pattern a sticky one */
  #match(pattern) {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text);
  }

  /**
   * @param {Node} node
   * @param {number} length
   */
  #push(node, length) {
    this.#pushAll([node], length);
  }

  /**
   * @param {Node[]} nodes
   * @param {number} length of the text they stand for
   */
  #pushAll(nodes, length) {
    this.#flush();
    for (const node of nodes) this.#nodes.push(node);
    this.#at += length;
  }

  #flush() {
    if (this.#plain) this.#nodes.push(document.createTextNode(this.#plain));
    this.#plain = "";
  }
}

/**
 * @param {string} text
 * @param {number} at
 */
function ticksAt(text, at) {
  TICKS.lastIndex = at;
  return TICKS.exec(text)?.[0] ?? "";
}

/**
 * @param {string} text
 * @param {string} ticks
 * @param {number} from
 */
function closingTicks(text, ticks, from) {
  const runs = /`+/g;
  runs.lastIndex = from;
  for (let run = runs.exec(text); run; run = runs.exec(text)) {
    if (run[0].length === ticks.length) return run.index;
  }
  return -1;
}

/**
 * Where the delimiter that closes the one before `from` begins, or -1. Code and escapes are stepped over.
 *
 * @param {string} text
 * @param {string} delimiter
 * @param {number} from
 */
function closingDelimiter(text, delimiter, from) {
  const [character] = delimiter;
  const width = delimiter.length;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "`") {
      const ticks = ticksAt(text, at);
      const end = closingTicks(text, ticks, at + ticks.length);
      at = (end < 0 ? at : end) + ticks.length - 1;
    } else if (text[at] === character) {
      let run = 1;
      while (text[at + run] === character) run++;
      const closes =
        at > from &&
        /\S/.test(text[at - 1]) &&
        (width === 1 ? run !== 2 : run >= 2) &&
        !(character === "_" && /\w/.test(text[at + run] ?? ""));
      if (closes) return at + run - width;
      at += run - 1;
    }
  }
  return -1;
}

/**
 * @param {string} text
 * @param {number} from where the opening bracket is
 */
function closingBracket(text, from) {
  let depth = 0;
  const limit = Math.min(text.length, from + LINK_TEXT_LIMIT);
  for (let at = from; at < limit; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "[") depth++;
    else if (text[at] === "]" && --depth === 0) return at;
  }
  return -1;
}

/**
 * A sentence's own punctuation after a bare URL is not part of it.
 *
 * @param {string} url
 * @returns {string}
 */
function trimUrl(url) {
  const trimmed = url.replace(/[.,;:!?'"*_~\]]+$/, "");
  const unopened = trimmed.endsWith(")") && trimmed.split(")").length > trimmed.split("(").length;
  return unopened ? trimUrl(trimmed.slice(0, -1)) : trimmed;
}

/**
 * @param {string} target
 * @param {Node[] | string[]} children
 * @returns {HTMLElement | null} null for anything but the web and mail: `javascript:` above all
 */
function anchor(target, children) {
  if (!/^(https?:\/\/|mailto:)/i.test(target) || !URL.canParse(target)) return null;
  return element("a", { href: target, target: "_blank", rel: "noopener noreferrer nofollow" }, children);
}
