/** Colours for code: comments, strings, numbers, keywords and calls. Small on purpose, and never wrong text. */

import { element } from "../dom.js";

const SIZE_LIMIT = 20_000;

/** The class of each group of a family's pattern; what no group holds is a plain word. */
const KINDS = ["", "code-comment", "code-string", "code-keyword", "code-number", "code-call"];

const STRINGS = String.raw`"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?`;
const TEMPLATE = String.raw`\x60(?:\\.|[^\x60\\])*\x60?`;
const TRIPLE = String.raw`"""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)`;
// One character only: the apostrophe of a Rust lifetime opens nothing.
const C_STRINGS = String.raw`"(?:\\.|[^"\\\n])*"?|'(?:\\[^'\n]+|[^'\\\n])'`;
const SLASHES = String.raw`\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)`;
const HASH = String.raw`(?<![^\s;(])#[^\n]*`;

const FAMILIES = {
  python: family(HASH, `[rbfuRBFU]{0,2}(?:${TRIPLE}|${STRINGS})`, words(`
    and as assert async await break case class continue def del elif else except finally for from global if import
    in is lambda match nonlocal not or pass raise return try while with yield None True False self`)),
  script: family(SLASHES, `${STRINGS}|${TEMPLATE}`, words(`
    as async await break case catch class const continue default delete do echo else enum export extends finally for
    from fn foreach function get if implements import in instanceof interface let new null of private protected public
    readonly return set static super switch this throw true false try type typeof undefined use var void while with
    yield`)),
  c: family(SLASHES, `${C_STRINGS}|${TEMPLATE}`, words(`
    abstract auto bool boolean break byte case catch char class const constexpr continue default defer do double else
    enum extends extern false final float fn for func fun go if impl implements import in include int interface let
    long loop match mod mut namespace new nil null nullptr override package private protected pub public range return
    self short signed sizeof static string struct super switch template this throw trait true try type typedef union
    unsigned use using val var virtual void when where while`)),
  shell: family(HASH, STRINGS, words(`
    case cd def do done echo elif else end esac exit export fi for function if in local read require return set sudo
    then unset until while`)),
  sql: family(String.raw`--[^\n]*|\/\*[^]*?(?:\*\/|$)`, STRINGS, words(`
    add all alter and as asc begin between by case commit constraint create cross database default delete desc
    distinct drop else end exists foreign from full group having if in index inner insert into is join key left like
    limit not null offset on or order outer primary references returning right rollback select set table then union
    unique update values view when where with`), "i"),
  data: family(HASH, STRINGS, words("true false null")),
  css: family(String.raw`\/\*[^]*?(?:\*\/|$)`, STRINGS, String.raw`@[\w-]+|[\w-]+(?=\s*:\s)`),
  markup: family(
    String.raw`<!--[^]*?(?:-->|$)`,
    String.raw`(?<==)(?:"[^"<]*"?|'[^'<]*'?)`,
    String.raw`(?<=<\/?)[A-Za-z][\w:-]*`,
  ),
};

/** @type {Record<string, RegExp>} */
const LANGUAGES = {};
for (const [name, aliases] of Object.entries({
  python: "python py python3",
  script: "javascript js jsx mjs typescript ts tsx php",
  c: "c h cpp c++ cc csharp cs dart go golang java kotlin kt rust rs scala swift zig",
  shell: "bash sh shell zsh console dockerfile makefile ruby rb perl r",
  sql: "sql postgresql mysql sqlite",
  data: "json jsonc yaml yml toml ini",
  css: "css scss less",
  markup: "html xml svg vue",
})) {
  for (const alias of aliases.split(" ")) {
    LANGUAGES[alias] = FAMILIES[/** @type {keyof typeof FAMILIES} */ (name)];
  }
}

/** @param {string} list */
function words(list) {
  return String.raw`\b(?:${list.trim().split(/\s+/).join("|")})\b`;
}

/**
 * @param {string} comment
 * @param {string} string
 * @param {string} keyword
 * @param {string} [flags]
 */
function family(comment, string, keyword, flags = "") {
  const groups = [
    `(${comment})`,
    `(${string})`,
    `(${keyword})`,
    String.raw`(\b0x[\da-fA-F]+\b|\b\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?\b)`,
    String.raw`(\b[A-Za-z_]\w*(?=\())`,
    String.raw`[A-Za-z_]\w*`,
  ];
  return new RegExp(groups.join("|"), `g${flags}`);
}

/**
 * @param {string} code
 * @param {string} language as written after the fence
 * @returns {Node[]} nodes whose text, joined, is the code
 */
export function highlight(code, language) {
  const pattern = LANGUAGES[language.toLowerCase()];
  if (!pattern || code.length > SIZE_LIMIT) return [document.createTextNode(code)];
  /** @type {Node[]} */
  const nodes = [];
  let at = 0;
  for (const match of code.matchAll(pattern)) {
    const group = match.findIndex((text, index) => index > 0 && text !== undefined);
    if (group < 0) continue;
    if (match.index > at) nodes.push(document.createTextNode(code.slice(at, match.index)));
    nodes.push(element("span", { class: KINDS[group] }, match[0]));
    at = match.index + match[0].length;
  }
  if (at < code.length) nodes.push(document.createTextNode(code.slice(at)));
  return nodes;
}
