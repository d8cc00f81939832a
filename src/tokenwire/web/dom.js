/**
 * Make an element. Text is only ever set as text, never parsed as HTML.
 *
 * @param {string} tag
 * @param {Record<string, string | boolean>} [attributes] `true` sets an empty attribute, `false` none
 * @param {...(Node | string | (Node | string)[])} children
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false) made.setAttribute(name, value);
  }
  // One by one: an answer may have more parts than a call may have arguments.
  for (const child of children.flat()) made.append(child);
  return made;
}

/**
 * A picture from the sprite at the top of the page.
 *
 * @param {string} name
 */
export function icon(name) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(namespace, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/**
 * The element of the page with this id.
 *
 * @param {string} id
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * Make the children of `parent`, from the one at `from` on, look like `wanted`, touching only what differs:
 * a selection, the focus and a scrolled code block outlive an update.
 *
 * @param {Node} parent
 * @param {Node[]} wanted
 * @param {number} [from]
 */
export function morph(parent, wanted, from = 0) {
  /** @type {ChildNode | null} */
  let live = parent.childNodes[from] ?? null;
  for (const next of wanted) {
    if (!live) {
      parent.appendChild(next);
      continue;
    }
    /** @type {ChildNode | null} */
    const following = live.nextSibling;
    if (live instanceof Text && next instanceof Text) morphText(live, next.data);
    else if (live instanceof Element && next instanceof Element && live.tagName === next.tagName) {
      if (!live.isEqualNode(next)) {
        morphAttributes(live, next);
        morph(live, [...next.childNodes]);
      }
    } else parent.replaceChild(next, live);
    live = following;
  }
  while (live) {
    const following = live.nextSibling;
    parent.removeChild(live);
    live = following;
  }
}

/**
 * @param {Text} live
 * @param {string} text
 */
function morphText(live, text) {
  if (live.data === text) return;
  if (text.startsWith(live.data)) live.appendData(text.slice(live.data.length));
  else live.data = text;
}

/**
 * @param {Element} live
 * @param {Element} wanted
 */
function morphAttributes(live, wanted) {
  for (const { name } of [...live.attributes]) {
    if (!wanted.hasAttribute(name)) live.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (live.getAttribute(name) !== value) live.setAttribute(name, value);
  }
}
