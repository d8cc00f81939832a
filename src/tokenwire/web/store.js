/**
 * What outlives a reload. A tab keeps its own conversation; a new tab opens with the one last worked on.
 *
 * @typedef {{ id: string, sent: number, firstToken?: number }} RunPointer
 * @typedef {{ thread: string, messages: import("./answer.js").Message[], run: RunPointer | null }} Conversation
 */

// Several servers may share an origin under different paths.
const PREFIX = `tokenwire:${new URL(".", document.baseURI).pathname}`;

/**
 * @param {string} kind
 */
export function newId(kind) {
  // crypto.randomUUID is missing on plain http, where a page on a home network lives.
  const random = crypto.getRandomValues(new Uint32Array(3));
  return `${kind}-${Array.from(random, (word) => word.toString(36)).join("")}`;
}

/** @returns {Conversation} */
export function newConversation() {
  return { thread: newId("thread"), messages: [], run: null };
}

/** @returns {Conversation} */
export function loadConversation() {
  const stored = read(sessionStorage, "conversation") ?? read(localStorage, "conversation");
  return Array.isArray(stored?.messages) && stored.thread ? stored : newConversation();
}

/** @param {Conversation} conversation */
export function saveConversation(conversation) {
  write(sessionStorage, "conversation", conversation);
  write(localStorage, "conversation", conversation);
}

/**
 * @param {string} name
 * @returns {any} what was saved under this name, else null
 */
export function loadSetting(name) {
  return read(localStorage, name);
}

/**
 * @param {string} name
 * @param {unknown} value null forgets it
 */
export function saveSetting(name, value) {
  write(localStorage, name, value);
}

/** @returns {string} the reader's key, which is kept for this tab alone; else an empty text */
export function loadKey() {
  const stored = read(sessionStorage, "key");
  return typeof stored === "string" ? stored : "";
}

/** @param {string} key an empty one forgets it */
export function saveKey(key) {
  write(sessionStorage, "key", key || null);
}

/**
 * @param {Storage} storage
 * @param {string} name
 */
function read(storage, name) {
  try {
    return JSON.parse(storage.getItem(`${PREFIX}${name}`) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {Storage} storage
 * @param {string} name
 * @param {unknown} value
 */
function write(storage, name, value) {
  try {
    if (value === null) storage.removeItem(`${PREFIX}${name}`);
    else storage.setItem(`${PREFIX}${name}`, JSON.stringify(value));
  } catch {
    // A full or forbidden storage costs the memory of this page, not the chat.
  }
}
