import type {
  AuditItem,
  CanalCluster,
  CanalInstanceConfig,
  InstanceState,
  InstanceSummary,
  NodeServer,
  RevisionText,
  ServerReport,
  ServerSummary,
  UserInfo,
} from '../src/api/types'
import { random } from './random'

// A fleet as it may be in a company of some size: two clusters, servers that
// stand alone, one of Java Canal, one that is down, and 1,200 instances of which
// some are in trouble. It changes when calls change it, and forgets all of it
// when the process ends.

export interface MockServer {
  id: number
  clusterId: number
  name: string
  ip: string
  adminPort: number
  tcpPort: number
  metricPort: number
  status: '1' | '0' | '-1'
  kind: 'towpath' | 'canal' | ''
  draining: boolean
  sinceMs: number
}

export interface MockInstance {
  id: number
  name: string
  clusterId: number
  serverId: number
  wanted: boolean
  state: InstanceState
  reason: string
  remedy: string
  source: string
  lagMs: number
  rowsRate: number
  clients: number
  outOfDate: boolean
  quarantined: number
  modifiedMs: number
  content: string
}

export const START = Date.now()
const DAY = 86_400_000
const r = random(7)
const pick = <T>(list: readonly T[]): T => list[Math.floor(r() * list.length)] as T

export const clusters = [
  { id: 1, name: 'orders-prod', zkHosts: '10.20.0.1:2181,10.20.0.2:2181,10.20.0.3:2181', modifiedMs: START - 41 * DAY },
  { id: 2, name: 'analytics', zkHosts: '10.30.0.1:2181,10.30.0.2:2181,10.30.0.3:2181', modifiedMs: START - 12 * DAY },
  { id: 3, name: 'staging', zkHosts: '10.90.0.1:2181', modifiedMs: START - 3 * DAY },
]

function server(id: number, clusterId: number, name: string, ip: string, change: Partial<MockServer> = {}): MockServer {
  return { id, clusterId, name, ip, adminPort: 11110, tcpPort: 11111, metricPort: 11112, status: '1', kind: 'towpath', draining: false, sinceMs: START - 6 * DAY + id * 3_600_000, ...change }
}

export const servers: MockServer[] = [
  server(1, 1, 'orders-canal-1', '10.20.1.11'),
  server(2, 1, 'orders-canal-2', '10.20.1.12'),
  server(3, 1, 'orders-canal-3', '10.20.1.13', { draining: true }),
  server(4, 1, 'orders-canal-4', '10.20.1.14', { status: '-1', sinceMs: START - 900_000 }),
  server(5, 2, 'analytics-canal-1', '10.30.1.11'),
  server(6, 2, 'analytics-canal-2', '10.30.1.12', { kind: 'canal' }),
  server(7, 3, 'staging-canal', '10.90.1.11', { status: '0' }),
  server(8, 0, 'billing-canal', '10.40.1.5'),
  server(9, 0, 'legacy-crm', '10.41.1.9', { kind: 'canal' }),
]

export const TEMPLATE = `# position info
canal.instance.master.address=127.0.0.1:3306
canal.instance.master.journal.name=
canal.instance.master.position=
canal.instance.master.timestamp=
canal.instance.master.gtid=

# username/password
canal.instance.dbUsername=canal
canal.instance.dbPassword=canal
canal.instance.connectionCharset=UTF-8

# table regex
canal.instance.filter.regex=.*\\\\..*
canal.instance.filter.black.regex=mysql\\\\.slave_.*
`

export const SERVER_TEMPLATE = `canal.ip =
canal.register.ip =
canal.port = 11111
canal.metrics.pull.port = 11112
canal.admin.port = 11110
canal.admin.user = admin
canal.admin.passwd = ******
canal.zkServers =
canal.serverMode = tcp
canal.instance.memory.buffer.size = 16384
canal.instance.memory.batch.mode = MEMSIZE
canal.auto.scan = true
canal.auto.scan.interval = 5
canal.instance.global.mode = manager
canal.instance.global.lazy = false
canal.instance.global.manager.address = \${canal.admin.manager}
canal.instance.global.spring.xml = classpath:spring/default-instance.xml
`

const schemas = ['orders', 'payments', 'stock', 'users', 'ledger', 'events', 'search', 'coupons', 'reviews', 'mail', 'shipping', 'tax']
const troubles: [InstanceState, string, string][] = [
  ['retrying', 'connect to 10.20.3.41:3306: connection refused', 'Check that MySQL runs there and that the server may reach it.'],
  ['failed', 'the binlog file mysql-bin.000173 is gone from the source', 'Choose another place to go on from on the page of the instance.'],
  ['failed', 'the user canal lacks REPLICATION SLAVE', "GRANT REPLICATION SLAVE ON *.* TO 'canal'@'%'"],
  ['starting', '', ''],
  ['down', 'no server of the cluster runs it', 'Look at the servers of the cluster.'],
]

function instance(id: number): MockInstance {
  const clusterId = id % 10 < 6 ? 1 : id % 10 < 8 ? 2 : id % 10 < 9 ? 3 : 0
  const runners = servers.filter((s) => s.clusterId === clusterId && s.status === '1' && !s.draining)
  const trouble = r() < 0.03 ? pick(troubles) : undefined
  const stopped = clusterId === 3 || (!trouble && r() < 0.04)
  const state: InstanceState = trouble ? trouble[0] : stopped ? 'stopped' : 'running'
  const runs = state !== 'down' && state !== 'stopped'
  const source = `10.${20 + clusterId * 10}.3.${1 + (id % 200)}:3306`
  return {
    id,
    name: `${pick(schemas)}_${String(id).padStart(4, '0')}`,
    clusterId,
    serverId: clusterId === 0 ? pick(runners).id : runs && runners.length > 0 ? pick(runners).id : 0,
    wanted: !stopped,
    state,
    reason: trouble?.[1] ?? '',
    remedy: trouble?.[2] ?? '',
    source,
    lagMs: runs ? (trouble ? 3_600_000 * r() * 5 : Math.floor(r() * r() * 900)) : -1,
    rowsRate: state === 'running' ? Math.floor(r() * r() * 2400) : 0,
    clients: state === 'running' ? 1 + Math.floor(r() * 2) : 0,
    outOfDate: r() < 0.004,
    quarantined: state === 'running' && id % 173 === 7 ? 1 + (id % 3) : 0,
    modifiedMs: START - Math.floor(r() * 200) * DAY,
    content: TEMPLATE.replace('127.0.0.1:3306', source),
  }
}

export const instances: MockInstance[] = Array.from({ length: 1200 }, (_, i) => instance(i + 1))

export const configs = new Map<string, string>([
  ['clusters:1', SERVER_TEMPLATE.replace('canal.zkServers =', 'canal.zkServers = 10.20.0.1:2181,10.20.0.2:2181,10.20.0.3:2181')],
  ['clusters:2', SERVER_TEMPLATE.replace('canal.zkServers =', 'canal.zkServers = 10.30.0.1:2181,10.30.0.2:2181,10.30.0.3:2181')],
  ['servers:8', SERVER_TEMPLATE],
  ['servers:9', SERVER_TEMPLATE],
])

export const history = new Map<string, RevisionText[]>()

export const passwords = new Map([
  ['admin', 'admin123'],
  ['olga', 'operator'],
  ['vera', 'viewer'],
  ['new', '123456'],
])

const user = (id: number, username: string, name: string, role: UserInfo['role'], change: Partial<UserInfo> = {}): UserInfo => ({
  id,
  username,
  name,
  role,
  disabled: false,
  createdMs: START - 300 * DAY + id * DAY,
  lastSeenMs: START - id * 700_000,
  sessions: 1,
  ...change,
})

export const users: UserInfo[] = [
  user(1, 'admin', 'Canal Manager', 'admin', { sessions: 2 }),
  user(2, 'olga', 'Olga Petrova', 'operator'),
  user(3, 'vera', 'Vera Lindqvist', 'viewer'),
  user(4, 'new', '王小明', 'viewer', { lastSeenMs: 0, sessions: 0 }),
  user(5, 'former', 'Former Colleague', 'operator', { disabled: true, sessions: 0, lastSeenMs: START - 90 * DAY }),
]

const told: [string, string, string][] = [
  ['instance.update', 'instance', 'filter regex changed'],
  ['instance.stop', 'instance', ''],
  ['instance.start', 'instance', ''],
  ['user.login', 'user', ''],
  ['config.update', 'config', 'raise the memory of the store'],
  ['cluster.drain', 'cluster', '10.20.1.13:11111 before maintenance'],
  ['instance.seek', 'instance', 'to mysql-bin.000412:4, backwards 1.2 GiB'],
  ['user.insert', 'user', 'role viewer'],
]

export const audit: AuditItem[] = Array.from({ length: 180 }, (_, i) => {
  const [action, kind, detail] = pick(told)
  const target = kind === 'instance' ? pick(instances) : kind === 'cluster' ? clusters[0] : pick(users)
  const failed = action === 'user.login' && r() < 0.3
  return {
    id: 180 - i,
    atMs: START - i * 1_900_000 - Math.floor(r() * 900_000),
    username: pick(users).username,
    address: `10.1.7.${20 + Math.floor(r() * 40)}`,
    action,
    kind,
    targetId: target?.id ?? 0,
    target: target?.name ?? '',
    ok: !failed,
    detail: failed ? 'wrong password' : detail,
  }
})

/** note adds to the audit trail. */
export function note(username: string, action: string, kind: string, id: number, target: string, detail = ''): void {
  audit.unshift({ id: audit.length + 1, atMs: Date.now(), username, address: '127.0.0.1', action, kind, targetId: id, target, ok: true, detail })
}

export const nextId = (list: { id: number }[]) => Math.max(0, ...list.map((x) => x.id)) + 1

/** canalDate is a time as Canal writes it, in GMT+8. */
export function canalDate(ms: number): string {
  return new Date(ms + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ')
}

export function clusterEntity(id: number): CanalCluster | null {
  const c = clusters.find((x) => x.id === id)
  return c ? { id: c.id, name: c.name, zkHosts: c.zkHosts, modifiedTime: canalDate(c.modifiedMs) } : null
}

export function serverEntity(s: MockServer): NodeServer {
  return {
    id: s.id,
    canalCluster: clusterEntity(s.clusterId),
    clusterId: s.clusterId || null,
    name: s.name,
    ip: s.ip,
    adminPort: s.adminPort,
    tcpPort: s.tcpPort,
    metricPort: s.metricPort,
    status: s.status,
    modifiedTime: canalDate(s.sinceMs),
  }
}

export const running = (i: MockInstance) => i.state === 'running' || i.state === 'retrying' || i.state === 'starting'

export function instanceEntity(i: MockInstance): CanalInstanceConfig {
  const on = servers.find((s) => s.id === i.serverId)
  return {
    id: i.id,
    clusterId: i.clusterId || null,
    canalCluster: clusterEntity(i.clusterId),
    serverId: i.clusterId ? null : i.serverId,
    nodeServer: on ? serverEntity(on) : null,
    name: i.name,
    content: i.content,
    contentMd5: md5Of(i.content),
    status: i.wanted ? '1' : '0',
    modifiedTime: canalDate(i.modifiedMs),
    clusterServerId: i.clusterId ? `cluster:${i.clusterId}` : `server:${i.serverId}`,
    runningStatus: running(i) ? '1' : '0',
  }
}

/** md5Of stands for a checksum: equal texts have equal ones. */
export function md5Of(text: string): string {
  let h = 0
  for (const c of text) h = (Math.imul(h, 31) + c.charCodeAt(0)) | 0
  return (h >>> 0).toString(16).padStart(8, '0').repeat(4)
}

/** wave lets a rate look alive. */
export function wave(base: number, id: number, at = Date.now()): number {
  return Math.max(0, base * (1 + 0.25 * Math.sin(at / 21_000 + id) + 0.1 * Math.sin(at / 4_000 + id * 3)))
}

export function summary(i: MockInstance, at = Date.now()): InstanceSummary {
  const s = servers.find((x) => x.id === i.serverId)
  return {
    id: i.id,
    name: i.name,
    clusterId: i.clusterId,
    clusterName: clusters.find((c) => c.id === i.clusterId)?.name ?? '',
    serverId: i.serverId,
    serverName: s?.name ?? '',
    wanted: i.wanted,
    state: i.state,
    reason: i.reason || undefined,
    remedy: i.remedy || undefined,
    source: i.source,
    lagMs: i.lagMs < 0 ? -1 : Math.round(wave(i.lagMs, i.id, at)),
    lagBytes: i.lagMs < 0 ? -1 : Math.round(wave(i.lagMs * 900, i.id, at)),
    rowsRate: wave(i.rowsRate, i.id, at),
    clients: i.clients,
    outOfDate: i.outOfDate,
    quarantined: i.quarantined,
    modifiedMs: i.modifiedMs,
  }
}

export const instancesOf = (serverId: number) => instances.filter((i) => i.serverId === serverId && running(i))

export function serverSummary(s: MockServer, at = Date.now()): ServerSummary {
  const own = s.status === '1' ? instancesOf(s.id) : []
  const down = s.status === '-1'
  return {
    ...s,
    clusterName: clusters.find((c) => c.id === s.clusterId)?.name ?? '',
    secure: s.kind === 'towpath' && s.clusterId === 1,
    error: down ? `connect to ${s.ip}:${s.adminPort}: no route to host` : undefined,
    remedy: down ? 'Check that the machine runs and that the admin may reach it.' : undefined,
    lastPollMs: down ? s.sinceMs : at - (at % 5_000),
    outOfDate: false,
    instances: own.length,
    rowsRate: wave(own.reduce((sum, i) => sum + i.rowsRate, 0), s.id, at),
    cpu: s.kind === 'towpath' && !down ? wave(0.6, s.id, at) : 0,
    report: s.kind === 'towpath' && !down ? report(s, at) : undefined,
  }
}

function report(s: MockServer, at: number): ServerReport {
  return {
    version: '1.2.0',
    goVersion: 'go1.26.8',
    host: s.name,
    pid: 4200 + s.id,
    startedMs: s.sinceMs,
    nowMs: at,
    running: s.status === '1',
    address: `${s.ip}:${s.tcpPort}`,
    cpuSeconds: Math.round((at - s.sinceMs) / 2000),
    memory: Math.round(wave(540 * 1024 ** 2, s.id, at)),
    heap: Math.round(wave(300 * 1024 ** 2, s.id, at)),
    goroutines: 40 + instancesOf(s.id).length * 9,
    budget: 2 * 1024 ** 3,
    budgetUsed: Math.round(wave(420 * 1024 ** 2, s.id, at)),
    sessions: instancesOf(s.id).length * 2,
    configSource: 'admin',
    configMd5: md5Of(configs.get(`clusters:${s.clusterId}`) ?? ''),
    configAtMs: s.sinceMs,
    zooKeeper: clusters.find((c) => c.id === s.clusterId)?.zkHosts,
    zooKeeperConnected: s.clusterId !== 0,
    draining: s.draining,
    instances: null,
    errors: s.id === 1 ? [{ level: 'warn', firstMs: at - 7_200_000, lastMs: at - 60_000, times: 14, text: 'a client did not answer for 60 s and was disconnected', remedy: 'Look at the clients of the instances.' }] : null,
  }
}
