import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

async function bundle(generation) {
  const { outputFiles } = await build({
    entryPoints: [here(`../${generation}/page.jsx`)],
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    write: false,
    logLevel: 'warning',
  });
  return outputFiles[0].contents;
}

/** Serves `/legacy/` and `/new/`, the page of each generation, on a port of its own; says its origin. */
export async function serveSite() {
  const pages = { '/legacy/page.js': await bundle('legacy'), '/new/page.js': await bundle('new') };
  const html = await readFile(here('index.html'));
  const server = createServer((request, response) => {
    const script = pages[request.url];
    response.setHeader('Content-Type', script ? 'text/javascript' : 'text/html');
    response.end(script ?? html);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return `http://127.0.0.1:${server.address().port}`;
}
