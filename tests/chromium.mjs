/** The browser that every test of a page drives: the system's Chromium, headless, and quiet on the network. */
import { createRequire } from 'node:module'

const { chromium } = createRequire(new URL('./interop/package.json', import.meta.url))('playwright-core')

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}
