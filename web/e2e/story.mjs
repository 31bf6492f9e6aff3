// The way of every user through the pages of a real admin, in a real browser. The
// test that runs it tells it in STORY where everything is, and does for it what a
// browser cannot do: start servers, change rows, look into ZooKeeper.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ask, assert, eventually, examine, finish, launch, problems, step, watch } from './harness.mjs'

const told = JSON.parse(process.env.STORY)
mkdirSync(told.pictures, { recursive: true })
const browser = await launch(told.chromium)
const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US', reducedMotion: 'reduce' })
const page = await context.newPage()
watch(page, told.url)

/** calls are the calls that the pages have made, without their numbers. */
const calls = new Set()
page.on('request', (r) => {
  const path = new URL(r.url()).pathname
  if (path.startsWith('/api/v1/')) calls.add(`${r.method()} ${path.slice('/api/v1/'.length).replace(/\/\d+/g, '/N')}`)
})

let pictures = 0
/** picture keeps what is shown now, numbered in the order of the story. */
const picture = (name) => page.screenshot({ path: join(told.pictures, `${String(++pictures).padStart(2, '0')}-${name}.png`) })
const button = (name, within = page) => within.getByRole('button', { name, exact: typeof name === 'string' })
const field = (name, within = page) => within.getByLabel(name, { exact: true })
const go = (path) => page.goto(`${told.url}#${path}`)
/** choose picks an option of a list as a keyboard user does. */
async function choose(list, option) {
  await list.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('option', { name: option }).click()
}
/** press chooses from the menu of a row, and confirms when it is asked whether. */
async function press(name, item, confirm, within = page) {
  await button(`Actions for ${name}`, within).click()
  await page.getByRole('menuitem', { name: item, exact: true }).click()
  if (!confirm) return
  const asked = page.locator('.el-message-box')
  await asked.getByText(name).first().waitFor()
  await button(confirm, asked).click()
  await asked.waitFor({ state: 'hidden' })
}
const title = (text) => page.locator('#page-title', { hasText: text }).waitFor()

try {
  await step('log in with the first password, and be led to replace it', async () => {
    await go('/canalServer/canalClusters')
    await title('Log in')
    await field('Username').fill('admin')
    await field('Password').fill('wrong-password')
    await button('Login').click()
    await page.getByRole('alert').waitFor()
    assert((await field('Username').inputValue()) === 'admin', 'the form has lost what was typed')
    await field('Password').fill('123456')
    await picture('login')
    await button('Login').click()
    await page.getByText('Please choose a password of your own first').first().waitFor()
    await picture('password-due')
    await go('/canalServer/nodeServers') // nothing else can be done before
    await page.getByText('Please choose a password of your own first').first().waitFor()
    await page.locator('#account-oldPassword').fill('123456')
    await page.locator('#account-password').fill(told.password)
    await page.locator('#account-again').fill(told.password)
    await button('Change').click()
    await page.getByText('Your other sessions have ended').first().waitFor()
    const cookie = (await context.cookies()).find((c) => c.name === 'towpath_session')
    assert(cookie?.httpOnly && cookie.sameSite === 'Strict', `the session's cookie is ${JSON.stringify(cookie)}`)
  })

  await step('add a cluster, whose ZooKeeper is checked on entry', async () => {
    await go('/canalServer/canalClusters')
    await title('Clusters')
    await button('New cluster').click()
    const dialog = page.getByRole('dialog')
    await dialog.locator('#cluster-name').fill('zookeeper')
    await dialog.locator('#cluster-zk').fill('127.0.0.1:1')
    await dialog.locator('#cluster-zk').blur()
    await dialog.getByText(/nothing listens/i).first().waitFor()
    await picture('cluster-unreachable')
    await dialog.locator('#cluster-zk').fill(told.zooKeeper)
    await dialog.locator('#cluster-zk').blur()
    await dialog.getByText('Standalone').first().waitFor()
    await picture('cluster')
    await button('OK', dialog).click()
    await page.getByRole('link', { name: 'zookeeper', exact: true }).waitFor()
  })

  await step('store its main configuration from the template', async () => {
    await button('Actions for zookeeper').click()
    await page.getByRole('menuitem', { name: 'Main configuration' }).click()
    await title('Configuration of zookeeper')
    await page.getByText('The template is loaded below').waitFor()
    const text = page.locator('.cm-content').first()
    await eventually('the ZooKeeper addresses are filled in', async () => (await editorText()).includes(`canal.zkServers = ${told.zooKeeper}`))
    assert(/canal\.instance\.global\.spring\.xml *= *classpath:spring\/default-instance\.xml/.test(await editorText()), 'cursors are not kept in ZooKeeper')
    await text.click()
    await page.keyboard.press('Control+End')
    await page.keyboard.type('\ncanal.auto.scna.interval = 1')
    await page.getByText('canal.auto.scna.interval').last().waitFor()
    await page.getByLabel('What is wrong with the text').waitFor()
    await picture('configuration-checked')
    for (let i = 0; i < '\ncanal.auto.scna.interval = 1'.length; i++) await page.keyboard.press('Backspace')
    await picture('configuration')
    await button('Save').first().click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Why? (kept in the history)').fill('the first one')
    await button('Save', dialog).click()
    await page.getByText('Saved. Servers take it over').first().waitFor()
    await page.getByRole('tab', { name: 'History' }).click()
    await page.getByText('the first one').waitFor()
    await picture('history')
  })

  await step('create the server kaven, start it and see it connected', async () => {
    await go('/canalServer/nodeServers')
    await title('Servers')
    await button('New server').click()
    const dialog = page.getByRole('dialog')
    await choose(dialog.locator('#server-cluster'), 'zookeeper')
    await dialog.locator('#server-name').fill('kaven')
    await dialog.locator('#server-ip').fill('127.0.0.1')
    await dialog.locator('#server-admin').fill(String(told.adminPort))
    await dialog.locator('#server-tcp').fill(String(told.tcpPort))
    await dialog.locator('#server-metric').fill(String(told.adminPort + 2))
    await picture('server')
    await button('OK', dialog).click()
    await dialog.getByText('Waiting for kaven to connect').waitFor()
    await picture('server-waits')
    const file = await dialog.getByLabel('Contents of canal_local.properties').innerText()
    await ask('start', { name: 'kaven', file })
    await dialog.getByText('kaven is connected').waitFor({ timeout: 60_000 })
    await picture('server-connected')
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })
    await page.getByRole('row', { name: /kaven/ }).getByText('Running').waitFor()
    await picture('servers')
    // The cluster of a server stays; the form says why, and what to do.
    await button('Actions for kaven').click()
    await page.getByRole('menuitem', { name: 'Change' }).click()
    await page.getByRole('dialog').getByText('A server stays in its cluster').waitFor()
    assert(await page.getByRole('dialog').locator('#server-cluster').isDisabled(), 'the cluster of a server can be changed')
    await button('Delete and create anew', page.getByRole('dialog')).waitFor()
    await picture('server-cluster-fixed')
    await button('Cancel', page.getByRole('dialog')).click()
    await button('Actions for kaven').click()
    await page.getByRole('menuitem', { name: 'Configuration' }).click()
    await page.getByText('A server of a cluster has no configuration of its own').first().waitFor()
  })

  await step('create the instance itkaven from the form, with a look at its source', async () => {
    await go('/canalServer/canalInstances')
    await title('Instances')
    await button('New instance').click()
    await title('New instance')
    await field('Instance name').fill('itkaven')
    await choose(page.getByRole('combobox', { name: 'Cluster or server' }), 'zookeeper')
    await field('Source (host:port)').fill(told.source)
    await field('User').fill('canal')
    await field('Password').fill('wrong')
    await field('Tables that pass').fill(`${told.schema}\\..*`)
    await button('Check the source').click()
    let dialog = page.getByRole('dialog')
    await dialog.getByText('The instance would not run with this').waitFor({ timeout: 30_000 })
    await picture('source-refused')
    await button('Close', dialog).last().click()
    await dialog.waitFor({ state: 'hidden' })
    await field('Password').fill('canal')
    await button('Check the source').click()
    dialog = page.getByRole('dialog')
    await dialog.getByText('The instance can run with this').waitFor({ timeout: 30_000 })
    await dialog.getByText('Checked by kaven').waitFor()
    await picture('source-checked')
    await button('Close', dialog).last().click()
    await dialog.waitFor({ state: 'hidden' })
    await picture('instance-form')
    await page.getByRole('tab', { name: /instance\.properties/ }).click()
    await eventually('the form stands in the text', async () => (await editorText()).includes(told.source))
    await picture('instance-text')
    await button('Save').first().click()
    await title('Instances')
  })

  await step('see it started, and on which server', async () => {
    const row = page.getByRole('row', { name: /itkaven/ })
    await row.getByText('Running', { exact: true }).waitFor({ timeout: 60_000 })
    await row.getByRole('link', { name: 'kaven', exact: true }).waitFor()
    await picture('instances')
    const running = JSON.parse(await ask('running'))
    assert(running.active && running.address.endsWith(`:${told.tcpPort}`), `ZooKeeper says ${JSON.stringify(running)}`)
    await ask('follow')
    await page.getByRole('link', { name: 'itkaven', exact: true }).click()
    await title('itkaven')
    await page.getByText('1001').first().waitFor()
    await ask('write')
    await page.waitForTimeout(5000) // for curves that show something
    await ask('write')
    await picture('instance')
  })

  await step('read its log, live', async () => {
    await go('/canalServer/canalInstances')
    await button('Actions for itkaven').click()
    await page.getByRole('menuitem', { name: 'Log' }).click()
    const log = page.getByRole('log')
    await log.getByText('start successful').first().waitFor({ timeout: 20_000 })
    await picture('log')
    const before = await log.getByText('subscribe successfully').count()
    await ask('subscribe')
    await eventually('the new line comes by itself', async () => (await log.getByText('subscribe successfully').count()) > before)
    await picture('log-live')
  })

  await step('find the same in the tree of ZooKeeper', async () => {
    await go('/canalServer/canalClusters')
    await button('Actions for zookeeper').click()
    await page.getByRole('menuitem', { name: 'Browse ZooKeeper' }).click()
    for (const node of ['destinations', 'itkaven', 'running']) await page.getByRole('treeitem', { name: new RegExp(`^${node}`) }).first().click()
    await page.getByText(`"address": "127.0.0.1:${told.tcpPort}"`).waitFor()
    await picture('zookeeper')
  })

  await step('move it to a second server, and lose that one', async () => {
    await ask('start', { name: 'luna' })
    await go('/canalServer/canalClusters')
    await page.getByRole('link', { name: 'zookeeper', exact: true }).click()
    await page.getByText('luna').first().waitFor({ timeout: 60_000 })
    await picture('cluster-page')
    await ask('move')
    await page.getByRole('row', { name: /itkaven/ }).getByText('luna').first().waitFor({ timeout: 30_000 })
    await ask('kill', { name: 'luna' })
    await go('/canalServer/canalInstances')
    await page.getByRole('row', { name: /itkaven/ }).getByRole('link', { name: 'kaven', exact: true }).waitFor({ timeout: 60_000 })
    await go('/dashboard')
    await page.getByText('luna').first().waitFor({ timeout: 60_000 }) // what a person should look at
    await picture('dashboard')
    await ask('start', { name: 'luna' })
  })

  await step("press Canal's other buttons, which make Canal's calls", async () => {
    const row = (name) => page.getByRole('row', { name: new RegExp(name) })
    await go('/canalServer/nodeServers')
    await row('luna').getByText('Running', { exact: true }).waitFor({ timeout: 60_000 })
    await press('luna', 'Start')
    await page.getByText('This server is not stopped').first().waitFor()
    await press('luna', 'Stop', 'Stop')
    await row('luna').getByText('Stopped', { exact: true }).waitFor()
    await press('luna', 'Stop')
    await page.getByText('This server is not running').first().waitFor()
    await press('luna', 'Start', 'Start')
    await row('luna').getByText('Running', { exact: true }).waitFor()
    await go('/canalServer/canalInstances') // kaven has it, before its list is asked for
    await row('itkaven').getByRole('link', { name: 'kaven', exact: true }).waitFor({ timeout: 60_000 })
    await row('itkaven').getByText('Running', { exact: true }).waitFor({ timeout: 60_000 })
    await go('/canalServer/nodeServers')
    await press('kaven', 'Instances')
    const dialog = page.getByRole('dialog', { name: 'Instances of kaven' })
    await dialog.getByText('Running', { exact: true }).waitFor()
    await press('itkaven', 'Stop', 'Stop', dialog) // another server takes it
    await page.keyboard.press('Escape')
    await press('kaven', 'Log')
    await page.getByRole('log').getByText('the canal server is running now').first().waitFor({ timeout: 20_000 })

    await go('/canalServer/canalInstances')
    await row('itkaven').getByText('Running', { exact: true }).waitFor({ timeout: 60_000 })
    await press('itkaven', 'Stop', 'Stop')
    await row('itkaven').getByText('Stopped', { exact: true }).waitFor({ timeout: 30_000 })
    await press('itkaven', 'Log')
    await page.getByText('No server runs this instance').first().waitFor()
    await press('itkaven', 'Start', 'Start')
    await row('itkaven').getByText('Running', { exact: true }).waitFor({ timeout: 60_000 })
    await press('itkaven', 'Change')
    await title('itkaven')

    await go('/canalServer/canalClusters')
    await press('zookeeper', 'Change')
    await page.getByRole('dialog').getByText('Standalone').first().waitFor()
    await button('OK', page.getByRole('dialog')).click()
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    await press('zookeeper', 'Delete', 'Delete') // it has servers, so it stays
    await page.getByRole('alert').first().waitFor()
    await row('zookeeper').waitFor()
    await button('New cluster').click()
    await page.getByRole('dialog').locator('#cluster-name').fill('second')
    await page.getByRole('dialog').locator('#cluster-zk').fill(told.zooKeeper)
    await button('OK', page.getByRole('dialog')).click()
    await press('second', 'Delete', 'Delete')
    await row('second').waitFor({ state: 'hidden' })
    await go('/canalServer/nodeServers')
    await button('New server').click()
    await page.getByRole('dialog').locator('#server-name').fill('solo')
    await page.getByRole('dialog').locator('#server-ip').fill('127.0.0.1')
    await page.getByRole('dialog').locator('#server-admin').fill('1')
    await button('OK', page.getByRole('dialog')).click()
    await page.getByRole('dialog').getByText('Waiting for solo').waitFor()
    await page.keyboard.press('Escape')
    await press('solo', 'Delete', 'Delete')
    await row('solo').waitFor({ state: 'hidden' })
    const canals = ['POST user/login', 'PUT user', 'GET canal/clusters', 'POST canal/cluster', 'PUT canal/cluster', 'DELETE canal/cluster/N', 'GET nodeServers', 'POST nodeServer', 'DELETE nodeServer/N',
      'PUT nodeServer/start/N', 'PUT nodeServer/stop/N', 'GET canal/active/instances/N', 'POST canal/instance', 'PUT canal/instance/stop/N/N', 'PUT canal/instance/status/N']
    const missing = canals.filter((c) => !calls.has(c))
    assert(missing.length === 0, `the pages have not made ${missing.join(', ')}, but ${[...calls].sort().join(', ')}`)
  })

  await step('look at every page in both languages and themes, wide and narrow', () => gallery())

  await step('log out', async () => {
    await go('/dashboard')
    await button(/^User /).click()
    await page.getByRole('menuitem', { name: 'Log out' }).click()
    await title('Log in')
    assert(!(await context.cookies()).some((c) => c.name === 'towpath_session' && c.value), 'the session is still there')
  })
} catch (e) {
  await picture('failure')
  throw e
} finally {
  await browser.close()
  finish()
  for (const p of problems) console.error(p)
}
if (problems.length > 0) process.exitCode = 1

async function editorText() {
  // The editor draws only the lines in sight; its state has all of them.
  return page.evaluate(() => document.querySelector('.cm-content')?.cmTile?.view?.state.doc.toString() ?? document.querySelector('.cm-content')?.cmView?.view?.state.doc.toString() ?? '')
}

/** gallery looks at each page: with TOWPATH_SCREENSHOTS in all eight ways, else in one each. */
async function gallery() {
  const pages = ['/dashboard', '/canalServer/canalClusters', '/canalServer/canalCluster/1', '/canalServer/canalCluster/1/zookeeper', '/canalServer/nodeServers', '/canalServer/nodeServer/1',
    '/canalServer/nodeServer/config?clusterId=1', '/canalServer/nodeServer/log?id=1', '/canalServer/canalInstances', '/canalServer/canalInstance/1', '/canalServer/canalInstance/add',
    '/canalServer/canalInstance/modify?id=1', '/canalServer/canalInstance/log?id=1&nodeId=1', '/sys/user', '/sys/users', '/sys/audit', '/sys/api', '/404']
  const ways = [1440, 390].flatMap((width) => ['light', 'dark'].flatMap((theme) => ['en', 'zh'].map((language) => ({ width, theme, language }))))
  let k = 0
  for (const path of pages) {
    for (const way of told.all ? ways : [ways[k++ % ways.length]]) {
      const name = `${path.slice(1).replace(/\W+/g, '-')}-${way.width}-${way.theme}-${way.language}`
      const look = await browser.newContext({ storageState: await context.storageState(), viewport: { width: way.width, height: 900 }, reducedMotion: 'reduce' })
      await look.addInitScript(([language, theme]) => {
        localStorage.setItem('towpath.language', language)
        localStorage.setItem('towpath.theme', theme)
      }, [way.language, way.theme])
      const tab = await look.newPage()
      watch(tab, told.url, name)
      await tab.goto(`${told.url}#${path}`)
      await tab.locator('#page-title').waitFor()
      await tab.waitForFunction(() => !document.querySelector('.el-skeleton, .el-loading-mask:not([style*="none"])'))
      await tab.waitForTimeout(800) // charts come to rest
      await examine(tab, name, way.language)
      if (told.all) await tab.screenshot({ path: join(told.pictures, `page-${name}.png`) })
      await look.close()
    }
  }
}
