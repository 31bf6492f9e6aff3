// What scripts that drive the pages in a browser share.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

/** problems are what was wrong with pages though nothing stopped. */
export const problems = []

export async function launch(executablePath) {
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
}

/** ask has the test do something, and gives what comes of it. */
export async function ask(what, args = {}) {
  console.log(JSON.stringify({ ask: what, args }))
  const { value, done } = await answers.next()
  if (done) throw new Error(`${what}: the test has ended`)
  const answer = JSON.parse(value)
  if (answer.error) throw new Error(`${what}: ${answer.error}`)
  return answer.result
}

/** finish lets the script end: it asks nothing any more. */
export function finish() {
  process.stdin.destroy()
}

export function assert(ok, message) {
  if (!ok) throw new Error(message)
}

/** eventually waits until something becomes true. */
export async function eventually(what, ok) {
  const limit = Date.now() + 30_000
  while (!(await ok())) {
    if (Date.now() > limit) throw new Error(`not within 30 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** step is a part of the story; its name stands before whatever goes wrong in it. */
export async function step(name, run) {
  const began = Date.now()
  try {
    await run()
  } catch (e) {
    throw new Error(`${name}: ${e.message}`, { cause: e })
  }
  console.log(`${((Date.now() - began) / 1000).toFixed(1)} s: ${name}`)
}

// CodeMirror says so when the page is laid out anew while it measures, and then
// measures again with the next frame.
const harmless = /^Measure loop restarted more than 5 times$/

/** watch takes note of what a page should not do: errors, and requests to other hosts. */
export function watch(page, url, name = 'story') {
  const origin = new URL(url).origin
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && !harmless.test(m.text()) && problems.push(`${name}: console: ${m.text()}`))
  page.on('pageerror', (e) => problems.push(`${name}: ${e.message}`))
  page.on('request', (r) => r.url().startsWith(origin) || r.url().startsWith('data:') || r.url().startsWith('blob:') || problems.push(`${name}: asks ${r.url()}`))
}

/** examine looks at a page as it stands: its width, its language, what axe-core finds. */
export async function examine(page, name, language) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  if (wide > 0) problems.push(`${name}: ${wide} px wider than the window`)
  const lang = await page.evaluate(() => document.documentElement.lang)
  if (!lang.startsWith(language)) problems.push(`${name}: the language is ${lang}`)
  await page.evaluate(axe) // through the debugger, which the policy does not bind
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }))
  for (const v of found.violations) problems.push(`${name}: ${v.id} (${v.impact}): ${v.nodes.slice(0, 3).map((n) => n.target.join(' ')).join(' | ')}`)
}
