// Shows every page with the API of mock/ in a real browser, in both languages,
// both themes and two widths, under the admin's content security policy, and looks
// for what axe-core finds, for errors in the console, and for pages that are wider
// than the window. Exits with 1 when there is anything.
//
//   node scripts/check-pages.mjs [--screenshots DIR] [--only PART] [--quick]
//
// CHROMIUM names the browser; /usr/bin/chromium by default. --only takes the pages
// whose path contains PART; --quick takes one combination of width, theme and
// language for each page.
import { createRequire } from 'node:module'
import { mkdirSync, readFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { build, preview } from 'vite'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const option = (name) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined)
const screenshots = option('--screenshots')
const only = option('--only') ?? ''
const quick = process.argv.includes('--quick')

/** The pages, and what to do on them before looking: roles and names of buttons to press. */
const pages = [
  { path: '/login', out: true },
  { path: '/sys/user', as: 'new', name: 'password-due' },
  { path: '/dashboard' },
  { path: '/canalServer/canalClusters' },
  { path: '/canalServer/canalClusters', name: 'cluster-dialog', press: /New cluster|新建集群/, fill: ['#cluster-zk', '10.0.0.1:2181,10.0.0.2:2181,10.0.0.9:2181'] },
  { path: '/canalServer/canalCluster/1' },
  { path: '/canalServer/canalCluster/1/zookeeper' },
  { path: '/canalServer/nodeServers' },
  { path: '/canalServer/nodeServers', name: 'server-dialog', press: /New server|新建Server/ },
  { path: '/canalServer/nodeServers?ip=10.99.0.1', name: 'servers-empty' },
  { path: '/canalServer/nodeServer/1' },
  { path: '/canalServer/nodeServer/config?clusterId=1' },
  { path: '/canalServer/nodeServer/log?id=1' },
  { path: '/canalServer/canalInstances' },
  { path: '/canalServer/canalInstance/5' },
  { path: '/canalServer/canalInstance/7', name: 'instance-quarantine' },
  { path: '/canalServer/canalInstance/add' },
  { path: '/canalServer/canalInstance/modify?id=5' },
  { path: '/canalServer/canalInstance/log?id=5&nodeId=1' },
  { path: '/sys/user' },
  { path: '/sys/users' },
  { path: '/sys/users', name: 'user-dialog', press: /New user|新建用户/ },
  { path: '/sys/audit' },
  { path: '/sys/api' },
  { path: '/404' },
].filter((p) => p.path.includes(only) || p.name?.includes(only))

const combinations = [1440, 390].flatMap((width) => ['light', 'dark'].flatMap((theme) => ['en', 'zh'].map((language) => ({ width, theme, language }))))

const outDir = mkdtempSync(join(tmpdir(), 'towpath-pages-'))
await build({ root, logLevel: 'error', build: { outDir, emptyOutDir: true } })
const server = await preview({ root, logLevel: 'error', build: { outDir }, preview: { port: 0 } })
const address = server.resolvedUrls.local[0]
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})
if (screenshots) mkdirSync(screenshots, { recursive: true })

const problems = []
const passwordOf = { admin: 'admin123', new: '123456' }

async function logIn(context, user) {
  const answer = await context.request.post(new URL('/api/v1/user/login', address).href, { data: { username: user, password: passwordOf[user] } })
  if ((await answer.json()).code !== 20000) throw new Error(`log in as ${user}: ${await answer.text()}`)
}

async function look(p, { width, theme, language }) {
  const name = `${p.name ?? p.path.replace(/[^\w]+/g, '-').replace(/^-/, '')}-${width}-${theme}-${language}`
  const context = await browser.newContext({ viewport: { width, height: 900 }, reducedMotion: 'reduce', bypassCSP: false })
  const tell = (what) => problems.push(`${name}: ${what}`)
  try {
    await context.addInitScript(([l, t]) => {
      localStorage.setItem('towpath.language', l)
      localStorage.setItem('towpath.theme', t)
    }, [language, theme])
    if (!p.out) await logIn(context, p.as ?? 'admin')
    const page = await context.newPage()
    page.on('console', (m) => ['error', 'warning'].includes(m.type()) && tell(`console: ${m.text()}`))
    page.on('pageerror', (e) => tell(`error: ${e.message}`))
    await page.goto(`${address}#${p.path}`)
    await page.locator('#page-title').waitFor({ timeout: 15_000 })
    await page.waitForFunction(() => !document.querySelector('.el-loading-mask:not([style*="none"])'), null, { timeout: 15_000 })
    if (p.press) await page.getByRole('button', { name: p.press }).click()
    if (p.fill) {
      await page.locator(p.fill[0]).fill(p.fill[1])
      await page.locator(p.fill[0]).blur()
    }
    await page.waitForTimeout(900) // charts and dialogs have come to rest
    await examine(page, tell, language)
    if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: !p.press })
  } catch (e) {
    tell(e.message.split('\n')[0])
  } finally {
    await context.close()
  }
}

async function examine(page, tell, language) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  if (wide > 0) tell(`${wide} px wider than the window`)
  const lang = await page.evaluate(() => document.documentElement.lang)
  if (!lang.startsWith(language)) tell(`lang is ${lang}`)
  await page.evaluate(axe) // through the debugger, which the policy does not bind
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }))
  for (const v of found.violations) {
    const where = v.nodes.slice(0, 3).map((n) => `${n.target.join(' ')} ${n.any[0]?.message ?? ''}`)
    tell(`${v.id} (${v.impact}, ${v.nodes.length}): ${where.join(' | ')}`)
  }
}

try {
  let k = 0
  for (const p of pages) {
    const these = quick ? [combinations[k++ % combinations.length]] : combinations
    for (const c of these) await look(p, c)
  }
} finally {
  await browser.close()
  await server.close()
  rmSync(outDir, { recursive: true, force: true })
}
for (const p of problems) console.error(p)
console.error(`${pages.length} pages, ${problems.length} problems`)
process.exit(problems.length > 0 ? 1 : 0)
