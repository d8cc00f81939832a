import { createInterface } from 'node:readline';

// Stdout carries answers only; libraries that log go to stderr.
console.log = console.error;

const PATIENCE_MS = 30_000;

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

function deadline() {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error('the scenario does not come to its end')), PATIENCE_MS).unref();
  });
}

/**
 * Answers each JSON line `{id, scenario}` on stdin with one line on stdout, `{id, result}` or
 * `{id, failure}`. Scenarios run side by side and are answered as they end. Before that, `tell`
 * lets a scenario say `{id, told}`: how far it is.
 */
export async function answerLines(play) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, scenario } = JSON.parse(line);
    Promise.race([play(scenario, (told) => write({ id, told })), deadline()])
      .then((result) => ({ id, result }))
      .catch((error) => ({ id, failure: error.stack }))
      .then(write);
  }
}
