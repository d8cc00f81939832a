/** Markdown by the block: paragraphs, headings, lists, quotes, tables, code. Made for what models write. */

import { element, icon } from "../dom.js";
import { highlight } from "./highlight.js";
import { inline } from "./inline.js";

const FENCE = /^(\s*)(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])(?:\s+(.*)|$)/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
const DEPTH_LIMIT = 8;

/** @typedef {{ line: number, node: HTMLElement }} Block a block and the number of its first line */

/**
 * @param {string[]} lines
 * @param {boolean} open whether more text may follow the last line
 * @param {number} [depth] of nesting in quotes and lists
 * @returns {Block[]}
 */
export function blocks(lines, open, depth = 0) {
  /** @type {Block[]} */
  const made = [];
  let line = 0;
  while (line < lines.length) {
    if (!lines[line].trim()) {
      line++;
      continue;
    }
    const read = depth < DEPTH_LIMIT ? readerFor(lines, line, open) : paragraph;
    const { node, end } = read(lines, line, open, depth);
    if (node) made.push({ line, node });
    line = end;
  }
  return made;
}

/**
 * @typedef {{ node: HTMLElement | null, end: number }} Read a block and the number of the line after it
 * @typedef {(lines: string[], from: number, open: boolean, depth: number) => Read} Reader
 */

/**
 * @param {string[]} lines
 * @param {number} at
 * @param {boolean} open
 * @returns {Reader}
 */
function readerFor(lines, at, open) {
  const line = lines[at];
  if (FENCE.test(line)) return fence;
  if (HEADING.test(line)) return heading;
  if (RULE.test(line)) return rule;
  if (QUOTE.test(line)) return quote;
  if (ITEM.test(line)) return list;
  if (startsTable(lines, at, open)) return table;
  return paragraph;
}

/**
 * @param {string[]} lines
 * @param {number} end
 * @param {boolean} open
 */
function isLast(lines, end, open) {
  return open && end >= lines.length;
}

/** @type {Reader} */
function fence(lines, from) {
  const [, indent, ticks, language] = /** @type {RegExpExecArray} */ (FENCE.exec(lines[from]));
  const closing = new RegExp(`^\\s*${ticks[0]}{${ticks.length},}\\s*$`);
  let end = from + 1;
  while (end < lines.length && !closing.test(lines[end])) end++;
  const margin = new RegExp(`^\\s{0,${indent.length}}`);
  const code = lines.slice(from + 1, end).map((text) => text.replace(margin, ""));
  return { node: codeBlock(code.join("\n"), language), end: end + 1 };
}

/**
 * @param {string} code
 * @param {string} language
 */
function codeBlock(code, language) {
  const copy = element("button", { type: "button", class: "copy", "aria-label": "Copy code" }, icon("copy"), "Copy");
  return element(
    "div",
    { class: "code" },
    element("div", { class: "code-head" }, element("span", {}, language || "text"), copy),
    element("pre", { tabindex: "0" }, element("code", {}, highlight(code, language))),
  );
}

/** @type {Reader} */
function heading(lines, from, open) {
  const [, marks, text] = /** @type {RegExpExecArray} */ (HEADING.exec(lines[from]));
  // The page and each message have their own headings above these.
  const node = element(`h${Math.min(marks.length + 2, 6)}`, {}, inline(text, isLast(lines, from + 1, open)));
  return { node, end: from + 1 };
}

/** @type {Reader} */
function rule(_lines, from) {
  return { node: element("hr"), end: from + 1 };
}

/** @type {Reader} */
function quote(lines, from, open, depth) {
  let end = from;
  while (end < lines.length && QUOTE.test(lines[end])) end++;
  const inner = lines.slice(from, end).map((text) => text.replace(QUOTE, ""));
  const children = blocks(inner, isLast(lines, end, open), depth + 1).map(({ node }) => node);
  return { node: element("blockquote", {}, children), end };
}

/** @type {Reader} */
function list(lines, from, open, depth) {
  const [, indent, marker] = /** @type {RegExpExecArray} */ (ITEM.exec(lines[from]));
  const ordered = /\d/.test(marker);
  /** @type {string[][]} */
  const items = [];
  let end = from;
  for (let at = from; at < lines.length; at++) {
    const item = RULE.test(lines[at]) ? null : ITEM.exec(lines[at]);
    const column = indentOf(lines[at]);
    if (item && column < indent.length + 2 && /\d/.test(item[2]) === ordered) items.push([item[3] ?? ""]);
    else if (item && column <= indent.length) break;
    else if (lines[at].trim() && column <= indent.length && !isLazy(lines, at)) break;
    else items[items.length - 1].push(dedent(lines[at], indent.length + marker.length + 1));
    if (lines[at].trim()) end = at + 1;
  }
  const unfinished = isLast(lines, end, open) ? items.length - 1 : -1;
  const made = items.map((inner, index) => listItem(inner, index === unfinished, depth + 1));
  const start = Number.parseInt(marker, 10);
  return { node: element(ordered ? "ol" : "ul", { start: ordered && start !== 1 && String(start) }, made), end };
}

/**
 * @param {string[]} lines
 * @param {boolean} open
 * @param {number} depth
 */
function listItem(lines, open, depth) {
  const task = /^\[([ xX])\](?:\s+|$)/.exec(lines[0]);
  if (task) lines[0] = lines[0].slice(task[0].length);
  const children = blocks(lines, open, depth).map(({ node }) => node);
  const [first, ...rest] = children;
  const content = first?.tagName === "P" ? [...first.childNodes, ...rest] : children;
  if (!task) return element("li", {}, content);
  const box = element("input", { type: "checkbox", disabled: true, checked: task[1] !== " " });
  return element("li", { class: "task" }, box, " ", content);
}

/**
 * Whether a line that is not indented still belongs to the paragraph above it in a list.
 *
 * @param {string[]} lines
 * @param {number} at
 */
function isLazy(lines, at) {
  return at > 0 && Boolean(lines[at - 1].trim()) && !interruptsParagraph(lines, at);
}

/** @param {string} line */
function indentOf(line) {
  return /^\s*/.exec(line.replaceAll("\t", "    "))?.[0].length ?? 0;
}

/**
 * @param {string} line
 * @param {number} columns
 */
function dedent(line, columns) {
  return line.replaceAll("\t", "    ").replace(new RegExp(`^ {0,${columns}}`), "");
}

/**
 * @param {string[]} lines
 * @param {number} at
 * @param {boolean} open a header row may stand alone while its rule is still to come
 */
function startsTable(lines, at, open) {
  const next = lines[at + 1];
  if (!lines[at].includes("|")) return false;
  if (open && at + 2 >= lines.length && lines[at].trimStart().startsWith("|")) return /^[\s|:-]*$/.test(next ?? "");
  return next !== undefined && next.includes("-") && TABLE_RULE.test(next);
}

/** @type {Reader} */
function table(lines, from, open) {
  let end = from + 1;
  while (end < lines.length && lines[end].includes("|")) end++;
  // Rows appear whole: a cell in the making would move the columns with every word.
  const whole = isLast(lines, end, open) && !/[^\\]\|\s*$/.test(lines[end - 1]) ? end - 1 : end;
  if (whole === from) return { node: null, end };
  const [head, rule = [], ...rows] = lines.slice(from, whole).map(cells);
  const alignments = rule.map(alignment);
  const row = (/** @type {string[]} */ texts, /** @type {string} */ tag) =>
    element("tr", {}, head.map((_, column) =>
      element(tag, { class: alignments[column] ?? false }, inline(texts[column] ?? "")),
    ));
  const body = rows.map((texts) => row(texts, "td"));
  const thead = element("thead", {}, row(head, "th"));
  const node = element("table", {}, thead, element("tbody", {}, body));
  return { node: element("div", { class: "table", tabindex: "0" }, node), end };
}

/** @param {string} cell of the rule under a table's head */
function alignment(cell) {
  if (/^:-+:$/.test(cell)) return "align-center";
  return cell.endsWith(":") && "align-right";
}

/**
 * @param {string} line of a table
 * @returns {string[]}
 */
function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  // A bar in code or behind a backslash does not end a cell.
  return (inner.match(/(?:\\.|`[^`]*`|[^|])+|(?<=\|)(?=\|)|^(?=\|)/g) ?? []).map((cell) => cell.trim());
}

/** @type {Reader} */
function paragraph(lines, from, open) {
  let end = from + 1;
  while (end < lines.length && lines[end].trim() && !interruptsParagraph(lines, end)) end++;
  const children = inline(lines.slice(from, end).join("\n").trim(), isLast(lines, end, open));
  return { node: children.length ? element("p", {}, children) : null, end };
}

/**
 * @param {string[]} lines
 * @param {number} at
 */
function interruptsParagraph(lines, at) {
  const item = ITEM.exec(lines[at]);
  // "1999. It was a good year" in the middle of a paragraph is prose.
  if (item) return Boolean(item[3]) && (!/\d/.test(item[2]) || /^1\D/.test(item[2]));
  return [FENCE, HEADING, RULE, QUOTE].some((start) => start.test(lines[at])) || startsTable(lines, at, false);
}
