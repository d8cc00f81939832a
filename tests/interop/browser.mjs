import { answerLines } from './lines.mjs';
import { serveSite } from './react/site.mjs';
import { launch } from '../chromium.mjs';

const PATIENCE_MS = 15_000;

const origin = await serveSite();
const browser = await launch();

/** Requests as the network stack made them: preflights too, which the page itself never sees. */
async function listen(page) {
  const requests = new Map();
  const network = await page.context().newCDPSession(page);
  await network.send('Network.enable');
  network.on('Network.requestWillBeSent', ({ requestId, request }) => {
    if (!request.url.includes('/api/')) return;
    const { method, url, headers } = request;
    requests.set(requestId, { method, url, headers });
  });
  network.on('Network.responseReceived', ({ requestId, response }) => {
    Object.assign(requests.get(requestId) ?? {}, { status: response.status, responseHeaders: response.headers });
  });
  return requests;
}

const steps = {
  async send({ page }, text) {
    await page.fill('input', text);
    await page.click('button:text("Send")');
  },
  stop: ({ page }) => page.click('button:text("Stop")'),
  reload: ({ page }) => page.reload(),
  tell: ({ tell }, word) => tell(word),

  untilStatus: ({ page }, status) => page.waitForSelector(`main[data-status=${status}]`),
  untilText: ({ page }, text) =>
    page.waitForSelector(`article[data-role=assistant]:last-of-type :is(p, em):text(${JSON.stringify(text)})`),
  untilAlert: ({ page }) => page.waitForSelector('[role=alert]'),
  async untilAnswered({ page, requests }, method) {
    const answered = (request) => request.method === method && request.status;
    while (![...requests.values()].some(answered)) await page.waitForTimeout(5);
  },
};

/** What a person sees. */
function read() {
  const texts = (element, selector) => [...element.querySelectorAll(selector)].map((found) => found.textContent);
  return {
    messages: [...document.querySelectorAll('article')].map((article) => ({
      role: article.dataset.role,
      text: texts(article, 'p').join(''),
      thinking: texts(article, 'em').join(''),
    })),
    status: document.querySelector('main').dataset.status,
    error: document.querySelector('[role=alert]')?.textContent ?? null,
    storage: { ...localStorage },
  };
}

/** Opens a page, plays `steps`, a list of `[step, argument]`, and says what person and network saw. */
async function visit({ generation, host, steps: plan, ...scenario }, tell) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const crashes = [];
    page.on('pageerror', (error) => crashes.push(error.message));
    const requests = await listen(page);
    const site = host ? origin.replace('127.0.0.1', host) : origin;
    await page.goto(`${site}/${generation}/#${encodeURIComponent(JSON.stringify(scenario))}`);
    for (const [step, argument] of plan) await steps[step]({ page, requests, tell }, argument);
    return { ...(await page.evaluate(read)), crashes, requests: [...requests.values()] };
  } finally {
    await context.close();
  }
}

process.stdout.write(`${JSON.stringify({ origin })}\n`);
await answerLines(visit);
await browser.close();
process.exit();
