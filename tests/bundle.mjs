/** Bundles the TSX snippets it gets on standard input, [name, text] each, against the real packages. */
import { text } from 'node:stream/consumers'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const interop = new URL('./interop/', import.meta.url)
const { build } = createRequire(new URL('package.json', interop))('esbuild')

for (const [name, contents] of JSON.parse(await text(process.stdin))) {
  await build({
    stdin: { contents, loader: 'tsx', sourcefile: name, resolveDir: fileURLToPath(new URL('new', interop)) },
    // not on the npm registry: the example's own hook has its contract
    alias: { '@react-ai-stream/react': fileURLToPath(new URL('../examples/react-ai-stream/src/use-ai-chat.ts', import.meta.url)) },
    nodePaths: [fileURLToPath(new URL('node_modules', interop))],
    jsx: 'automatic',
    bundle: true,
    write: false,
    logLevel: 'error',
    logOverride: { 'import-is-undefined': 'error' },
  })
}
