import { createInterface } from 'node:readline';
import { launch } from '../chromium.mjs';

const PATIENCE_MS = 10_000;

const browser = await launch();

let page;

/** What a person can do with an example, each until it shows. */
const steps = {
  async open(url) {
    await page?.context().close();
    page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(url);
  },
  async send(text) {
    await page.getByLabel('Message').fill(text);
    await page.getByRole('button', { name: 'Send' }).click();
  },
  stop: () => page.getByRole('button', { name: 'Stop' }).click(),
  retry: () => page.getByRole('button', { name: 'Retry' }).click(),
  reload: () => page.reload(),
  untilAnswer: (text) => page.locator('article.assistant:last-of-type', { hasText: exactly(text) }).waitFor(),
  untilIdle: () => page.getByRole('button', { name: 'Send' }).waitFor(),
};

const exactly = (text) => new RegExp(`^${text.replace(/[^\w ]/g, '\\$&')}$`);

async function shown() {
  return {
    articles: await page.locator('article').allInnerTexts(),
    alerts: await page.getByRole('alert').allInnerTexts(),
  };
}

// One step a line on standard input, as [name, ...values]; what the page shows then, a line on standard output.
for await (const line of createInterface({ input: process.stdin })) {
  const [step, ...values] = JSON.parse(line);
  let answer;
  try {
    await steps[step](...values);
    answer = await shown();
  } catch (error) {
    answer = { failure: `${line}: ${error.message}\nshown: ${JSON.stringify(await shown())}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
