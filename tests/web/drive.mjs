// A headless Chromium for a test process: one JSON command a line on stdin, one JSON answer a line on stdout.
//
//   {"open": {…context options}}                        -> a new page in a context of its own, by number
//   {"tab_of": 1}                                       -> a new page in the context of another
//   {"page": 1, "method": "reload", "args": []}         -> a method of Playwright's page
//   {"page": 1, "selector": "#input", "method": "fill"} -> a method of a locator on it; without one, waits for it
//   {"page": 1, "until": "2 > 1"}                       -> waits for a JavaScript expression
//   {"page": 1, "report": true}                         -> what the page logged, and asked the network for
//   {"page": 1, "close": true}

import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { launch } from "../chromium.mjs";

const PATIENCE = 15_000;

const browser = await launch();
const pages = [];

async function open(options) {
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"], ...options });
  return openTab(context);
}

async function openTab(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const report = { complaints: [], requests: [] };
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) report.complaints.push(message.text());
  });
  page.on("pageerror", (error) => report.complaints.push(String(error)));
  page.on("request", (request) => {
    report.requests.push({
      method: request.method(),
      url: request.url(),
      headers: request.headers(),
      body: request.postDataJSON(),
    });
  });
  return pages.push({ page, report });
}

async function call({ page: number, selector, method, args = [] }) {
  const { page } = pages[number - 1];
  const path = method.split(".");
  const name = path.pop();
  const start = selector === undefined ? page : page.locator(selector);
  const target = path.reduce((found, step) => found[step], start);
  const result = await target[name](...args);
  return ["string", "number", "boolean"].includes(typeof result) || Array.isArray(result) || isPlain(result)
    ? result
    : null;
}

// Playwright's own waitForFunction evaluates strings inside the page, which the page's policy forbids.
async function until({ page: number, until: expression }) {
  const { page } = pages[number - 1];
  for (const end = Date.now() + PATIENCE; Date.now() < end; await setTimeout(20)) {
    if (await page.evaluate(expression)) return null;
  }
  throw new Error("never true");
}

function isPlain(value) {
  return value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype;
}

async function answer(command) {
  if (command.open) return open(command.open);
  if (command.tab_of) return openTab(pages[command.tab_of - 1].page.context());
  if (command.until) return until(command);
  if (command.report) return pages[command.page - 1].report;
  if (command.close) return pages[command.page - 1].page.context().close().then(() => null);
  return call(command);
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply;
  try {
    reply = { result: (await answer(JSON.parse(line))) ?? null };
  } catch (error) {
    reply = { error: String(error.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
await browser.close();
