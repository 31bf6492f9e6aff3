import { readFileSync } from 'node:fs'
import type { NewUser, NodeServerForm, UserChange, UserInfo } from '../src/api/types'
import * as d from './details'
import * as w from './world'

// What the calls do. A handler throws a Refusal for everything but success.

export class Refusal extends Error {
  constructor(
    message: string,
    readonly code = 50000,
    readonly error?: { reason: string; remedy?: string; fields?: Record<string, string> },
  ) {
    super(message)
  }
}

export interface Request {
  user: UserInfo | undefined
  params: string[]
  query: URLSearchParams
  body: Record<string, unknown>
}

type Handler = (q: Request) => unknown

const notFound = (what: string) => new Refusal(`There is no such ${what}.`, 50000, { reason: 'not_found' })
const number = (q: Request, k = 0) => Number(q.params[k])
const who = (q: Request) => q.user?.username ?? ''

function found<T extends { id: number }>(list: T[], id: number, what: string): T {
  const x = list.find((e) => e.id === id)
  if (!x) throw notFound(what)
  return x
}

function removed<T extends { id: number }>(list: T[], id: number): string {
  const k = list.findIndex((e) => e.id === id)
  if (k >= 0) list.splice(k, 1)
  return 'success'
}

function paged<T>(list: T[], query: URLSearchParams) {
  const page = Math.max(1, Number(query.get('page')) || 1)
  const size = Number(query.get('size')) || 20
  return { count: list.length, items: list.slice((page - 1) * size, page * size), page, size, offset: (page - 1) * size }
}

function me(q: Request) {
  const u = q.user
  if (!u) throw new Refusal('Expired token', 50014)
  return { id: u.id, username: u.username, name: u.name, role: u.role, mustChangePassword: w.passwords.get(u.username) === '123456', version: 'v1.2.0-mock', zoneMinutes: 480, serverUser: u.role === 'admin' ? 'admin' : undefined }
}

function changePassword(q: Request): string {
  const { oldPassword, password } = q.body as { oldPassword: string; password: string }
  if (password.length < 5) throw new Refusal('The new password is too short,must more than 6 digits')
  if (w.passwords.get(who(q)) !== oldPassword) throw new Refusal('old passwd is unmatch')
  w.passwords.set(who(q), password)
  return 'success'
}

function saveServer(q: Request): string {
  const f = q.body as unknown as NodeServerForm
  if (w.servers.some((s) => s.ip === f.ip && s.adminPort === Number(f.adminPort) && s.id !== f.id)) throw new Refusal('节点信息已存在')
  const values = { name: f.name, ip: f.ip, adminPort: Number(f.adminPort), tcpPort: Number(f.tcpPort) || 0, metricPort: Number(f.metricPort) || 0 }
  const old = w.servers.find((s) => s.id === f.id)
  if (old) {
    Object.assign(old, values)
    return 'success'
  }
  const fresh: w.MockServer = { id: w.nextId(w.servers), clusterId: Number(f.clusterId) || 0, ...values, status: '-1', kind: '', draining: false, sinceMs: Date.now() }
  w.servers.push(fresh)
  setTimeout(() => Object.assign(fresh, { status: '1', kind: 'towpath' }), 8_000).unref()
  return 'success'
}

function setRunning(i: w.MockInstance, on: boolean): boolean {
  i.wanted = on
  setTimeout(() => (i.state = on ? 'running' : 'stopped'), 1_500).unref()
  return true
}

function instanceList(q: Request) {
  const { query } = q
  const by = query.get('sort') ?? ''
  const sign = by.startsWith('-') ? -1 : 1
  const list = w.instances
    .filter((i) => i.name.includes(query.get('name') ?? ''))
    .filter((i) => !query.get('clusterId') || i.clusterId === Number(query.get('clusterId')))
    .filter((i) => !query.get('serverId') || i.serverId === Number(query.get('serverId')))
    .filter((i) => !query.get('state') || i.state === query.get('state') || (query.get('state') === 'quarantined' && i.quarantined > 0))
    .map((i) => w.summary(i))
  const keys: Record<string, (i: (typeof list)[number]) => number | string> = { name: (i) => i.name, lag: (i) => i.lagMs, rate: (i) => i.rowsRate, state: (i) => i.state, modified: (i) => i.modifiedMs }
  const key = keys[by.replace('-', '')]
  if (key) list.sort((a, b) => sign * (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))
  return paged(list, query)
}

function configKey(q: Request): string {
  return `${q.params[0]}:${q.params[1]}`
}

function storedConfig(key: string): string | undefined {
  const [kind, id] = key.split(':')
  return kind === 'instances' ? w.instances.find((i) => i.id === Number(id))?.content : w.configs.get(key)
}

function revisions(key: string) {
  const list = w.history.get(key) ?? []
  if (list.length === 0 && storedConfig(key) !== undefined) {
    const content = storedConfig(key) ?? ''
    const base = { username: 'olga', deleted: false }
    list.push({ ...base, id: 2, atMs: Date.now() - 86_400_000, md5: w.md5Of(content), current: true, content, comment: 'as in the ticket' })
    list.push({ ...base, id: 1, atMs: Date.now() - 9 * 86_400_000, md5: w.md5Of(content + '1'), current: false, content: content.replace('UTF-8', 'GBK') })
    w.history.set(key, list)
  }
  return list
}

function saveConfig(key: string, content: string, comment: string, user: string) {
  const [kind, id] = key.split(':')
  const list = revisions(key)
  for (const x of list) x.current = false
  list.unshift({ id: w.nextId(list), atMs: Date.now(), username: user, deleted: false, md5: w.md5Of(content), current: true, content, comment })
  w.history.set(key, list)
  const i = kind === 'instances' ? w.instances.find((x) => x.id === Number(id)) : undefined
  if (i) i.content = content
  else w.configs.set(key, content)
  return d.configVersions(key, content)
}

function putConfig(q: Request) {
  const { content, baseMd5, comment } = q.body as { content: string; baseMd5: string; comment?: string }
  const key = configKey(q)
  if (baseMd5 && baseMd5 !== w.md5Of(storedConfig(key) ?? '')) throw new Refusal('Somebody else has stored another text by now.', 50000, { reason: 'conflict', remedy: 'Compare the two and save again.' })
  return saveConfig(key, content, comment ?? '', who(q))
}

function validate(q: Request) {
  const lines = String(q.body.content).split('\n')
  return lines.flatMap((l, k) => (/^\s*canal\.[\w.]+\s*$/.test(l) ? [{ line: k + 1, key: l.trim(), severity: 'warning', message: 'this key has no value', suggestion: `${l.trim()} = ` }] : []))
}

function auditTrail({ query }: Request) {
  const before = Number(query.get('before')) || Infinity
  const like = (value: string, key: string) => value.includes(query.get(key) ?? '')
  return w.audit
    .filter((a) => like(a.username, 'username') && like(a.action, 'action') && like(a.target, 'target') && like(a.kind, 'kind'))
    .filter((a) => a.id < before && a.atMs >= (Number(query.get('fromMs')) || 0) && a.atMs <= (Number(query.get('toMs')) || Infinity))
    .slice(0, Number(query.get('limit')) || 100)
}

function addUser(q: Request): UserInfo {
  const u = q.body as unknown as NewUser
  if (w.users.some((x) => x.username === u.username)) throw new Refusal(`There is already a user ${u.username}.`, 50000, { reason: 'conflict', remedy: 'Choose another name.', fields: { username: 'taken' } })
  const fresh: UserInfo = { id: w.nextId(w.users), username: u.username, name: u.name, role: u.role, disabled: false, createdMs: Date.now(), lastSeenMs: 0, sessions: 0 }
  w.users.push(fresh)
  w.passwords.set(u.username, u.password)
  w.note(who(q), 'user.insert', 'user', fresh.id, u.username)
  return fresh
}

function changeUser(q: Request): UserInfo {
  const u = found(w.users, number(q), 'user')
  const { password, ...change } = q.body as UserChange
  Object.assign(u, change)
  if (password) w.passwords.set(u.username, password)
  return u
}

function owners() {
  return [
    { label: '集群', options: w.clusters.map((c) => ({ label: c.name, value: `cluster:${c.id}` })) },
    { label: '单机主机', options: w.servers.filter((s) => s.clusterId === 0).map((s) => ({ label: s.name, value: `server:${s.id}` })) },
  ]
}

function nodeServers({ query }: Request) {
  const cluster = query.get('clusterId')
  const list = w.servers.filter((s) => (!query.get('ip') || s.ip === query.get('ip')) && (!cluster || s.clusterId === (cluster === '-1' ? 0 : Number(cluster))))
  return paged(list.map(w.serverEntity), query)
}

function deleteCluster(q: Request): string {
  if (w.servers.some((s) => s.clusterId === number(q))) throw new Refusal('当前集群下存在Server, 无法删除')
  if (w.instances.some((i) => i.clusterId === number(q))) throw new Refusal('当前集群下存在Instance配置，无法删除')
  return removed(w.clusters, number(q))
}

function saveCluster(q: Request): string {
  const c = q.body as { id?: number; name: string; zkHosts: string }
  const old = w.clusters.find((x) => x.id === c.id)
  if (old) Object.assign(old, c)
  else w.clusters.push({ ...c, id: w.nextId(w.clusters), modifiedMs: Date.now() })
  return 'success'
}

function addInstance(q: Request): string {
  const { name, content, clusterServerId } = q.body as { name: string; content: string; clusterServerId: string }
  if (w.instances.some((i) => i.name === name)) throw new Refusal(`Error[Duplicate entry '${name}' for key 'name_UNIQUE']`)
  const [kind, id] = clusterServerId.split(':')
  const clusterId = kind === 'cluster' ? Number(id) : 0
  const on = clusterId ? w.servers.find((s) => s.clusterId === clusterId && s.status === '1')?.id ?? 0 : Number(id)
  w.instances.push({ id: w.nextId(w.instances), name, clusterId, serverId: on, wanted: true, state: 'running', reason: '', remedy: '', source: '', lagMs: 3, rowsRate: 0, clients: 0, outOfDate: false, quarantined: 0, modifiedMs: Date.now(), content })
  return 'success'
}

function deleteServer(q: Request): string {
  if (w.instances.some((i) => i.clusterId === 0 && i.serverId === number(q))) throw new Refusal('当前Server下存在Instance配置, 无法删除')
  return removed(w.servers, number(q))
}

function serverStatus(q: Request, status: '1' | '0'): boolean {
  found(w.servers, number(q), 'server').status = status
  w.note(who(q), status === '1' ? 'server.start' : 'server.stop', 'server', number(q), '')
  return true
}

const FINDINGS = [
  { severity: 'ok', source: '10.20.3.4:3306', text: 'MySQL 8.0.36 answers, binlog_format is ROW' },
  { severity: 'warning', source: '10.20.3.4:3306', text: 'binlog_row_image is MINIMAL', remedy: 'SET GLOBAL binlog_row_image = FULL' },
]

function dismiss(q: Request): string {
  if (!d.dismiss(found(w.instances, number(q), 'instance'), String(q.body.schema), String(q.body.table))) throw notFound('table in quarantine')
  return 'success'
}

/** What anybody may call, whatever their role. */
export const open = [/^\/user\/(login|logout|info)/, /^\/towpath\/me$/]

export const table: [string, RegExp, Handler][] = [
  ['GET', /^\/user\/info$/, (q) => ({ ...me(q), password: '', roles: '', introduction: null, avatar: null, creationDate: null })],
  ['PUT', /^\/user$/, changePassword],
  ['GET', /^\/towpath\/me$/, me],
  ['GET', /^\/canal\/clusters$/, () => w.clusters.map((c) => w.clusterEntity(c.id))],
  ['GET', /^\/canal\/clustersAndServers$/, owners],
  ['POST', /^\/canal\/cluster$/, saveCluster],
  ['PUT', /^\/canal\/cluster$/, saveCluster],
  ['GET', /^\/canal\/cluster\/(\d+)$/, (q) => w.clusterEntity(number(q))],
  ['DELETE', /^\/canal\/cluster\/(\d+)$/, deleteCluster],
  ['GET', /^\/nodeServers$/, nodeServers],
  ['POST', /^\/nodeServer$/, saveServer],
  ['PUT', /^\/nodeServer$/, saveServer],
  ['GET', /^\/nodeServer\/(\d+)$/, (q) => w.serverEntity(found(w.servers, number(q), 'server'))],
  ['DELETE', /^\/nodeServer\/(\d+)$/, deleteServer],
  ['PUT', /^\/nodeServer\/start\/(\d+)$/, (q) => serverStatus(q, '1')],
  ['PUT', /^\/nodeServer\/stop\/(\d+)$/, (q) => serverStatus(q, '0')],
  ['GET', /^\/nodeServer\/log\/(\d+)$/, () => 'a line of canal.log'],
  ['GET', /^\/canal\/config\/template$/, () => w.SERVER_TEMPLATE],
  ['GET', /^\/canal\/instance\/template$/, () => w.TEMPLATE],
  ['POST', /^\/canal\/instance$/, addInstance],
  ['PUT', /^\/canal\/instance$/, () => 'success'],
  ['GET', /^\/canal\/instance\/(\d+)$/, (q) => w.instanceEntity(found(w.instances, number(q), 'instance'))],
  ['DELETE', /^\/canal\/instance\/(\d+)$/, (q) => removed(w.instances, number(q))],
  ['PUT', /^\/canal\/instance\/status\/(\d+)$/, (q) => setRunning(found(w.instances, number(q), 'instance'), q.query.get('option') === 'start')],
  ['PUT', /^\/canal\/instance\/(start|stop)\/(\d+)\/(\d+)$/, (q) => setRunning(found(w.instances, number(q, 1), 'instance'), q.params[0] === 'start')],
  ['GET', /^\/canal\/active\/instances\/(\d+)$/, (q) => (found(w.servers, number(q), 'server').status === '1' ? w.instancesOf(number(q)).map(w.instanceEntity) : null)],
  ['GET', /^\/towpath\/dashboard$/, () => d.dashboard(240)],
  ['GET', /^\/towpath\/instances$/, instanceList],
  ['GET', /^\/towpath\/instances\/(\d+)$/, (q) => d.instanceDetail(found(w.instances, number(q), 'instance'), 240)],
  ['GET', /^\/towpath\/servers$/, (q) => w.servers.filter((s) => !q.query.get('clusterId') || s.clusterId === Number(q.query.get('clusterId'))).map((s) => w.serverSummary(s))],
  ['GET', /^\/towpath\/servers\/(\d+)$/, (q) => d.serverDetail(found(w.servers, number(q), 'server'))],
  ['GET', /^\/towpath\/clusters\/(\d+)$/, (q) => d.clusterDetail(found(w.clusters, number(q), 'cluster').id)],
  ['POST', /^\/towpath\/clusters\/(\d+)\/(drain|undrain|move|release|rebalance)$/, (q) => ({ text: `${q.params[1]}: done` })],
  ['POST', /^\/towpath\/zookeeper\/check$/, (q) => d.checkZooKeeper(String(q.body.zkHosts))],
  ['GET', /^\/towpath\/clusters\/(\d+)\/zookeeper$/, (q) => d.zooKeeperNode(q.query.get('path') ?? '/')],
  ['GET', /^\/towpath\/(instances|clusters|servers)\/(\d+)\/config$/, (q) => d.configVersions(configKey(q), storedConfig(configKey(q)))],
  ['PUT', /^\/towpath\/(instances|clusters|servers)\/(\d+)\/config$/, putConfig],
  ['GET', /^\/towpath\/(instances|clusters|servers)\/(\d+)\/config\/history$/, (q) => revisions(configKey(q))],
  ['GET', /^\/towpath\/(instances|clusters|servers)\/(\d+)\/config\/history\/(\d+)$/, (q) => found(revisions(configKey(q)), number(q, 2), 'revision')],
  ['POST', /^\/towpath\/(instances|clusters|servers)\/(\d+)\/config\/history\/(\d+)\/restore$/, (q) => saveConfig(configKey(q), found(revisions(configKey(q)), number(q, 2), 'revision').content, 'restored', who(q))],
  ['POST', /^\/towpath\/config\/validate$/, validate],
  ['GET', /^\/towpath\/config\/keys$/, () => ['canal.instance.master.address', 'canal.instance.dbUsername', 'canal.instance.filter.regex', 'canal.zkServers', 'canal.port'].map((name) => ({ name, effect: 'see the documentation', status: 'works', secret: false }))],
  ['POST', /^\/towpath\/instances\/form$/, (q) => ({ content: w.TEMPLATE.replace('127.0.0.1:3306', String(q.body.address)) })],
  ['POST', /^\/towpath\/check$/, () => ({ checkedBy: 'orders-canal-1', ok: true, findings: FINDINGS })],
  ['POST', /^\/towpath\/filter\/test$/, (q) => (q.body.names as string[]).map((name) => ({ name, passes: !name.startsWith('mysql.'), why: name.startsWith('mysql.') ? 'black' : 'white', matched: '.*\\..*' }))],
  ['POST', /^\/towpath\/instances\/(\d+)\/seek\/preview$/, () => d.seekPlan(false)],
  ['POST', /^\/towpath\/instances\/(\d+)\/seek$/, () => d.seekPlan(true)],
  ['POST', /^\/towpath\/instances\/(\d+)\/quarantine\/dismiss$/, dismiss],
  ['GET', /^\/towpath\/instances\/(\d+)\/tables$/, () => d.tables],
  ['GET', /^\/towpath\/(servers|instances)\/(\d+)\/logs$/, () => [{ name: 'canal.log', size: 180_000, modifiedMs: Date.now() }, { name: '2026-11-22/canal.log.gz', size: 92_000, modifiedMs: Date.now() - 86_400_000 }]],
  ['GET', /^\/towpath\/(servers|instances)\/(\d+)\/log$/, (q) => d.log(q.query)],
  ['GET', /^\/towpath\/users$/, () => w.users],
  ['POST', /^\/towpath\/users$/, addUser],
  ['PUT', /^\/towpath\/users\/(\d+)$/, changeUser],
  ['DELETE', /^\/towpath\/users\/(\d+)$/, (q) => removed(w.users, number(q))],
  ['POST', /^\/towpath\/users\/(\d+)\/sessions\/revoke$/, (q) => (found(w.users, number(q), 'user').sessions = 0)],
  ['GET', /^\/towpath\/audit$/, auditTrail],
]

/** topic is the value of an event of the stream; undefined when there is no such topic. */
export function topic(name: string): unknown {
  const [kind, id] = name.split(':')
  switch (kind) {
    case 'dashboard':
      return d.dashboard(1)
    case 'instances':
      return w.instances.slice(0, 200).map((i) => w.summary(i))
    case 'servers':
      return w.servers.map((s) => w.serverSummary(s))
    case 'instance':
      return d.instanceDetail(found(w.instances, Number(id), 'instance'), 1)
    case 'cluster':
      return d.clusterDetail(Number(id))
    case 'log':
      return d.log(new URLSearchParams({ offset: '-1', lines: '1' }))
    default:
      return undefined
  }
}

/** openapi is the document of the real admin. */
export const openapi = () => readFileSync(new URL('../../internal/admin/api/testdata/openapi.json', import.meta.url), 'utf8')
