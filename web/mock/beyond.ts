import type {
  ClusterDetail,
  ConfigVersions,
  Dashboard,
  InstanceDetail,
  InstanceState,
  InstanceSummary,
  LogPage,
  RatesPoint,
  SeekPlan,
  ServerDetail,
  TableReport,
  ZooKeeperNode,
} from '../src/api/types'

// What the calls under /towpath answer about instances, servers, clusters,
// configurations and logs: a fleet that has some troubles.

const MINUTE = 60_000
const MiB = 1 << 20
const begun = Date.now()

/** wave is a number that moves around a middle, the same for the same moment. */
const wave = (at: number, middle: number, period = 90_000) => middle * (1 + 0.35 * Math.sin(at / period) + 0.12 * Math.sin(at / 7_000))

function points<T>(make: (at: number) => T, minutes = 30): T[] {
  const now = Date.now()
  return Array.from({ length: minutes * 6 }, (_, i) => make(now - (minutes * 6 - i) * 10_000))
}

const trouble: Partial<Record<InstanceState, { reason: string; remedy: string }>> = {
  retrying: { reason: 'cannot connect to 10.0.3.9:3306: connection refused', remedy: 'start the source, or correct canal.instance.master.address' },
  failed: { reason: 'the source has purged binlog mysql-bin.000812, where the client is', remedy: 'set the position to a binlog that is still there; the changes between are lost' },
  down: { reason: 'no server that may run it can be asked', remedy: 'start the servers, or look why the admin cannot reach them' },
}

const names: [string, InstanceState][] = [
  ['orders', 'running'],
  ['payments', 'retrying'],
  ['customers', 'running'],
  ['inventory', 'running'],
  ['audit-trail', 'failed'],
  ['shipping', 'stopped'],
  ['pricing', 'lazy'],
  ['search-index', 'down'],
]

function summary(id: number): InstanceSummary {
  const [name = 'orders', state = 'running'] = names[id - 1] ?? []
  const runs = state === 'running' || state === 'retrying'
  const clustered = id !== 6
  return {
    id,
    name,
    clusterId: clustered ? 1 : 0,
    clusterName: clustered ? 'shop' : '',
    serverId: runs || state === 'failed' ? (id % 2) + 1 : 0,
    serverName: runs || state === 'failed' ? `canal-${(id % 2) + 1}` : '',
    wanted: state !== 'stopped',
    state,
    ...trouble[state],
    source: `10.0.3.${id}:3306`,
    lagMs: runs ? Math.round(wave(Date.now(), id === 1 ? 42_000 : 400)) : -1,
    lagBytes: runs ? Math.round(wave(Date.now(), id === 1 ? 180 * MiB : 9_000)) : -1,
    rowsRate: runs ? wave(Date.now(), 9_000 / id) : 0,
    clients: runs ? 2 : 0,
    outOfDate: id === 3,
    modifiedMs: begun - id * 3_600_000,
  }
}

const all = () => names.map((_, i) => summary(i + 1))

function dashboard(): Dashboard {
  const list = all()
  const at = Date.now()
  const point = (atMs: number) => ({ atMs, rowsRate: wave(atMs, 21_000), bytesRate: wave(atMs, 14 * MiB), maxLagMs: wave(atMs, 42_000), memory: wave(atMs, 900 * MiB, 400_000), running: 4, troubled: 3 })
  const instances: Record<string, number> = {}
  for (const i of list) instances[i.state] = (instances[i.state] ?? 0) + 1
  return {
    ...point(at),
    clusters: 1,
    servers: { '1': 3, '0': 1, '-1': 1 },
    instances,
    series: points(point),
    attention: [
      { severity: 'error', kind: 'instance', id: 5, name: 'audit-trail', text: trouble.failed?.reason ?? '', remedy: trouble.failed?.remedy, sinceMs: at - 12 * MINUTE },
      { severity: 'error', kind: 'server', id: 5, name: 'canal-5', text: 'the admin port does not answer: dial tcp 10.0.0.15:11110: i/o timeout', remedy: 'start the server, or let the admin reach its admin port', sinceMs: at - 47 * MINUTE },
      { severity: 'warning', kind: 'instance', id: 1, name: 'orders', text: 'the store is full; client 1001 has not confirmed its batch for 3 min', remedy: 'look at what client 1001 does with its batch', sinceMs: at - 3 * MINUTE },
      { severity: 'warning', kind: 'cluster', id: 1, name: 'shop', text: 'one of three ZooKeeper servers does not answer', remedy: 'start it: with one more failure the cluster stops', sinceMs: at - 125 * MINUTE },
    ],
    busiest: list.filter((i) => i.rowsRate > 0).sort((a, b) => b.rowsRate - a.rowsRate),
    slowest: list.filter((i) => i.lagMs >= 0).sort((a, b) => b.lagMs - a.lagMs),
  }
}

function instance(id: number): InstanceDetail {
  const s = summary(id)
  const at = Date.now()
  const here = s.state === 'running' || s.state === 'retrying'
  const full = id === 1
  const rates = (t: number) => ({ readBytes: wave(t, 6 * MiB), readEvents: wave(t, 5_200), putRows: wave(t, 9_000), getRows: wave(t, 8_900), ackRows: wave(t, 8_700), transactions: wave(t, 310) })
  const point = (atMs: number): RatesPoint => ({ atMs, ...rates(atMs), lagMs: wave(atMs, full ? 42_000 : 400), lagBytes: wave(atMs, full ? 180 * MiB : 9_000), used: wave(atMs, 12 * MiB) })
  return {
    ...s,
    atMs: at,
    rates: here ? rates(at) : { readBytes: 0, readEvents: 0, putRows: 0, getRows: 0, ackRows: 0, transactions: 0 },
    series: here ? points(point) : [],
    cursors: here ? [] : [{ clientId: 1001, filter: '', cursor: { file: 'mysql-bin.000812', offset: 774, timestampMs: at - 90 * MINUTE } }],
    servers: [
      { serverId: 1, serverName: 'canal-1', address: '10.0.0.11:11111', towpath: true, state: s.serverId === 1 ? s.state : 'standby', sinceMs: at - 300 * MINUTE },
      { serverId: 2, serverName: 'canal-2', address: '10.0.0.12:11111', towpath: true, state: s.serverId === 2 ? s.state : 'standby', sinceMs: at - 300 * MINUTE },
      { serverId: 3, serverName: 'canal-3', address: '10.0.0.13:11111', towpath: false, state: 'unknown', sinceMs: 0, reason: 'a Canal server tells only whether it runs an instance' },
    ],
    report: here
      ? {
          destination: s.name,
          state: s.state,
          sinceMs: at - 312 * MINUTE,
          lagMs: s.lagMs,
          lagBytes: s.lagBytes,
          source: {
            phase: s.state === 'retrying' ? 'waiting' : 'streaming',
            sinceMs: at - 312 * MINUTE,
            address: s.source ?? '',
            version: 'MySQL 8.0.36',
            reason: s.reason,
            remedy: s.remedy,
            failures: s.state === 'retrying' ? 17 : 0,
            switches: 1,
            bytes: 81 * MiB,
            events: 912_000,
            lastByteMs: at - 300,
            read: { file: 'mysql-bin.000814', offset: 73_400_320, timestampMs: at - s.lagMs, gtidSet: '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-912837' },
            head: { file: 'mysql-bin.000815', offset: 155_189_248 },
            headAtMs: at - 1_400,
          },
          pipeline: { transactions: 312_000, lastEventMs: at, publishWaitMs: 1_200, storeWaitMs: 30_000, skippedRows: 0 },
          store: {
            slots: 16_384,
            used: full ? 16_384 : 2_100,
            usedBytes: 12 * MiB,
            putEntries: 1,
            putRows: 1,
            putBytes: 1,
            getEntries: 1,
            getRows: 1,
            getBytes: 1,
            ackEntries: 1,
            ackRows: 1,
            ackBytes: 1,
            ...(full ? { fullSinceMs: at - 3 * MINUTE, fullReason: '16384 of 16384 entries are not confirmed' } : {}),
          },
          clients: [
            { id: 1001, filter: 'shop\\..*', connected: ['10.0.7.21:53122'], hasCursor: true, cursor: { file: 'mysql-bin.000814', offset: 4_120_000, timestampMs: at - s.lagMs }, openBatches: full ? 3 : 0, ...(full ? { oldestBatch: 7, oldestSinceMs: at - 3 * MINUTE } : {}), unacked: full ? 3_000 : 0 },
            { id: 1002, filter: '', connected: [], hasCursor: true, cursor: { file: 'mysql-bin.000815', offset: 1_000, timestampMs: at - 9_000 }, openBatches: 0, unacked: 0 },
          ],
          filter: { whiteRegex: 'shop\\..*', blackRegex: 'shop\\.tmp_.*' },
          errors: [
            { level: 'error', firstMs: at - 80 * MINUTE, lastMs: at - 61 * MINUTE, times: 14, text: 'connect to 10.0.3.1:3306: i/o timeout', remedy: 'check that the source runs and the network lets this server through' },
            { level: 'warn', firstMs: at - 200 * MINUTE, lastMs: at - 200 * MINUTE, times: 1, text: 'the source switched from 10.0.3.8:3306 to 10.0.3.1:3306' },
          ],
        }
      : undefined,
  }
}

function server(id: number): ServerDetail {
  const at = Date.now()
  const gone = id === 5
  return {
    id,
    clusterId: id <= 3 ? 1 : 0,
    clusterName: id <= 3 ? 'shop' : '',
    name: `canal-${id}`,
    ip: `10.0.0.1${id}`,
    adminPort: 11110,
    tcpPort: 11111,
    metricPort: 11112,
    status: gone ? '-1' : id === 4 ? '0' : '1',
    kind: id === 3 ? 'canal' : 'towpath',
    secure: id === 1,
    ...(gone ? { error: 'the admin port does not answer: dial tcp 10.0.0.15:11110: i/o timeout', remedy: 'start the server, or let the admin reach its admin port' } : {}),
    sinceMs: at - 312 * MINUTE,
    lastPollMs: at - 3_000,
    outOfDate: false,
    instances: 4,
    draining: false,
    rowsRate: wave(at, 11_000),
    cpu: wave(at, 0.6),
    series: id === 3 ? [] : points((atMs) => ({ atMs, cpu: wave(atMs, 0.6), memory: wave(atMs, 410 * MiB, 400_000), rowsRate: wave(atMs, 11_000) })),
    instanceList: [1, 3, 5].map((n) => ({ instanceId: n, name: summary(n).name, state: summary(n).state, sinceMs: at - 300 * MINUTE, reason: summary(n).reason, remedy: summary(n).remedy })),
    report:
      id === 3 || gone
        ? undefined
        : {
            version: '0.5.0',
            goVersion: 'go1.26.0',
            host: `canal-${id}.example`,
            pid: 4711,
            startedMs: at - 312 * MINUTE,
            nowMs: at,
            running: id !== 4,
            address: `10.0.0.1${id}:11111`,
            cpuSeconds: 1_200,
            memory: 410 * MiB,
            heap: 260 * MiB,
            goroutines: 214,
            budget: 1024 * MiB,
            budgetUsed: 190 * MiB,
            sessions: 7,
            configSource: id === 2 ? 'cache' : 'admin',
            configMd5: 'x',
            configAtMs: at - 900 * MINUTE,
            ...(id === 2 ? { adminError: 'GET http://admin:8089/api/v1/config/server_polling: connection refused' } : {}),
            zooKeeper: id <= 3 ? 'zk1:2181,zk2:2181,zk3:2181' : '',
            zooKeeperConnected: id <= 3,
            draining: false,
            instances: [],
            errors: [{ level: 'error', firstMs: at - 20 * MINUTE, lastMs: at - 2 * MINUTE, times: 9, text: 'the admin does not answer', remedy: 'start the admin, or correct canal.admin.manager' }],
          },
  }
}

function cluster(): ClusterDetail {
  const at = Date.now()
  return {
    id: 1,
    name: 'shop',
    zkHosts: 'zk1:2181,zk2:2181,zk3:2181',
    hasConfig: true,
    zooKeeper: {
      ok: true,
      text: 'two of three servers answer, zk2:2181 leads',
      remedy: 'start zk3:2181: with one more failure the cluster stops',
      servers: [
        { address: 'zk1:2181', ok: true, mode: 'follower', version: '3.8.4', connections: 12, latencyMs: 0.4 },
        { address: 'zk2:2181', ok: true, mode: 'leader', version: '3.8.4', connections: 9, latencyMs: 0.3 },
        { address: 'zk3:2181', ok: false, connections: 0, latencyMs: 0, error: 'connection refused', remedy: 'start the server' },
      ],
    },
    servers: [1, 2, 3].map((id) => ({ id, name: `canal-${id}`, address: `10.0.0.1${id}:11111`, status: '1' as const, registered: id !== 3, towpath: id !== 3, version: id === 3 ? undefined : '0.5.0', weight: 100, draining: id === 2, owns: id === 3 ? 0 : 3 })),
    instances: all()
      .filter((i) => i.clusterId === 1)
      .map((i) => ({ id: i.id, name: i.name, owner: i.serverId ? `10.0.0.1${i.serverId}:11111` : '', sinceMs: i.serverId ? at - 300 * MINUTE : 0, competitors: ['10.0.0.11:11111', '10.0.0.12:11111'], lagMs: i.lagMs })),
    orders: [{ destination: 'customers', to: '10.0.0.11:11111', by: 'admin', atMs: at - 4_000 }],
    problems: ['canal-3 is a Canal server: instances cannot be moved to it by order.'],
    atMs: at,
  }
}

const nodes: Record<string, Partial<ZooKeeperNode>> = {
  '/': { children: [{ name: 'otter', children: 1, ephemeral: false }, { name: 'towpath', children: 1, ephemeral: false }] },
  '/otter/canal': { meaning: 'canal', children: [{ name: 'cluster', children: 2, ephemeral: false }, { name: 'destinations', children: 1, ephemeral: false }] },
  '/otter/canal/cluster': { meaning: 'servers', children: [{ name: '10.0.0.11:11111', children: 0, ephemeral: true }, { name: '10.0.0.12:11111', children: 0, ephemeral: true }] },
  '/otter/canal/destinations': { meaning: 'destinations', children: [{ name: 'orders', children: 3, ephemeral: false }] },
  '/otter/canal/destinations/orders': { meaning: 'destination', children: [{ name: 'running', children: 0, ephemeral: true }, { name: '1001', children: 1, ephemeral: false }] },
  '/otter/canal/destinations/orders/running': { meaning: 'running', data: '{"active":true,"address":"10.0.0.12:11111"}', ephemeral: true, owner: '0x100000a1b2c0001' },
  '/towpath': { meaning: 'towpath', children: [{ name: 'servers', children: 2, ephemeral: false }] },
}

function zooKeeperNode(path: string): ZooKeeperNode {
  const n = nodes[path] ?? {}
  return { path, data: '', binary: false, ephemeral: false, createdMs: begun - 90 * MINUTE, modifiedMs: begun - 5 * MINUTE, version: 3, children: [], ...n, size: n.data?.length ?? 0 }
}

const INSTANCE_TEXT = `#################################################
canal.instance.gtidon=false
canal.instance.master.address=10.0.3.1:3306
canal.instance.master.journal.name=
canal.instance.master.position=
canal.instance.dbUsername=canal
canal.instance.dbPassword=******
canal.instance.filter.regex=shop\\\\..*
canal.instance.filter.black.regex=shop\\\\.tmp_.*
canal.instance.paser.parallel=true
canal.mq.topic=example
`
const SERVER_TEXT = 'canal.port = 11111\ncanal.zkServers = zk1:2181\ncanal.destinations =\ncanal.instance.global.spring.xml = classpath:spring/file-instance.xml\n'
const stored = new Map<string, ConfigVersions>()

function versions(owner: string, id: string): ConfigVersions {
  const key = `${owner}/${id}`
  const there = stored.get(key)
  if (there) return there
  const text = owner === 'instances' ? INSTANCE_TEXT : SERVER_TEXT
  const made: ConfigVersions = {
    rowId: key === 'clusters/2' ? 0 : 1,
    stored: key === 'clusters/2' ? '' : text,
    storedMd5: 'm0',
    masked: owner === 'instances',
    modifiedMs: begun - 55 * MINUTE,
    running: [
      { serverId: 1, serverName: 'canal-1', upToDate: false, text: text.replace('shop', 'store'), values: [{ key: 'canal.instance.dbUsername', value: 'canal', source: 'the text from the admin' }, { key: 'canal.instance.memory.buffer.size', value: '16384', source: 'default' }] },
      { serverId: 2, serverName: 'canal-2', upToDate: true, text, values: [] },
    ],
  }
  stored.set(key, made)
  return made
}

const LINES = 12_000
function logPage(query: URLSearchParams): LogPage {
  const want = Number(query.get('lines')) || 200
  const offset = Number(query.get('offset') ?? -1)
  const backwards = query.get('backwards') === 'true'
  const begin = backwards ? Math.max(0, (offset < 0 ? LINES : offset) - want) : Math.max(0, offset)
  const end = backwards ? (offset < 0 ? LINES : offset) : Math.min(LINES + Math.floor((Date.now() - begun) / 2_000), offset + want)
  const lines = Array.from({ length: Math.max(0, end - begin) }, (_, i) => logLine(begin + i)).filter((l) => l.text.toLowerCase().includes((query.get('search') ?? '').toLowerCase()))
  return { file: 'canal.log', first: begin, next: end, size: LINES, lines, more: begin > 0 }
}

function logLine(n: number) {
  const level = n % 23 === 0 ? 'ERROR' : n % 11 === 0 ? 'WARN' : n % 5 === 0 ? 'DEBUG' : 'INFO'
  const time = new Date(begun - (LINES - n) * 1000).toISOString().replace('T', ' ').replace('Z', '')
  const trace = level === 'ERROR' ? '\n\tat source.connect (10.0.3.9:3306)\n\tat source.run' : ''
  return { offset: n, level, text: `${time} ${level} [orders] record ${n}: read up to mysql-bin.000814:${n * 317} 读取位点, 12 transactions, 431 rows, ${'the quick brown fox '.repeat(n % 7)}${trace}` }
}

const tables: TableReport[] = ['orders', 'order_items'].map((table) => ({
  schema: 'shop',
  table,
  sinceMs: begun - 40 * MINUTE,
  from: { file: 'mysql-bin.000811', offset: 5_120 },
  ddl: `ALTER TABLE ${table} ADD COLUMN note varchar(200)`,
  columns: [{ name: 'id', type: 'bigint unsigned', key: true, nullable: false }, { name: 'note', type: 'varchar(200)', key: false, nullable: true }],
}))

function plan(body: { end?: boolean; file?: string; offset?: number }): SeekPlan {
  return {
    from: [{ clientId: 1001, cursor: { file: 'mysql-bin.000814', offset: 4_120_000 } }],
    to: body.end ? { file: 'mysql-bin.000815', offset: 155_189_248 } : { file: body.file ?? 'mysql-bin.000813', offset: body.offset ?? 4 },
    available: ['000813', '000814', '000815'].map((n) => ({ name: `mysql-bin.${n}`, size: 256 * MiB })),
    backwards: !body.end,
    bytes: 260 * MiB,
    consequences: ['Clients of the instance are disconnected and connect again.', 'Batches that are out are taken back.'],
    done: false,
  }
}

/** beyond answers a call under /towpath; undefined when it is none of these. */
export function beyond(method: string, path: string, query: URLSearchParams, body: Record<string, unknown>): unknown {
  const [what = '', id = '', ...rest] = path.replace(/^\/towpath\//, '').split('/')
  const tail = rest.join('/')
  if (what === 'dashboard') return dashboard()
  if (what === 'instances' && id === '') return { count: names.length, items: all(), page: 1, size: 20 }
  if (what === 'instances' && tail === '') return instance(Number(id))
  if (what === 'servers' && id !== '' && tail === '') return server(Number(id))
  if (what === 'clusters' && tail === '') return cluster()
  if (what === 'clusters' && tail === 'zookeeper') return zooKeeperNode(query.get('path') ?? '/')
  if (what === 'clusters' && ['drain', 'undrain', 'move', 'release', 'rebalance'].includes(tail)) return { text: `${tail}: done` }
  if (tail === 'config') {
    if (method === 'PUT') stored.set(`${what}/${id}`, { ...versions(what, id), rowId: 1, stored: String(body.content), storedMd5: `m${Date.now()}`, modifiedMs: Date.now() })
    return versions(what, id)
  }
  if (tail === 'config/history') return [1, 2, 3].map((n) => ({ id: 4 - n, atMs: begun - n * 55 * MINUTE, username: n === 2 ? 'ann' : 'admin', comment: n === 1 ? 'leave temporary tables out' : '', md5: `m${n}`, current: n === 1, deleted: false }))
  if (tail.startsWith('config/history/')) return { id: 1, atMs: begun, username: 'ann', md5: 'm', current: false, deleted: false, content: versions(what, id).stored.replace('shop\\\\.tmp_.*', '') }
  if (path === '/towpath/config/validate') {
    const line = String(body.content).split('\n').findIndex((l) => l.includes('paser')) + 1
    return line > 0 ? [{ line, key: 'canal.instance.paser.parallel', severity: 'warning', message: 'unknown key; nothing reads it', suggestion: 'did you mean canal.instance.parser.parallel?' }] : []
  }
  if (path === '/towpath/config/keys')
    return [
      { name: 'canal.instance.parser.parallel', default: 'true', effect: 'Whether events are decoded by several workers.', status: 'works', secret: false },
      { name: 'canal.instance.filter.regex', default: '.*\\..*', effect: 'Tables that pass.', status: 'works', secret: false },
      { name: 'canal.instance.dbPassword', default: '', effect: 'Password at the source.', status: 'works', secret: true },
    ]
  if (path === '/towpath/filter/test') return (body.names as string[]).map((name) => ({ name, passes: name.startsWith('shop.') && !name.includes('tmp_'), why: name.includes('tmp_') ? 'black' : name.startsWith('shop.') ? 'white' : 'no white', matched: 'shop\\..*' }))
  if (path === '/towpath/check')
    return {
      checkedBy: 'canal-1',
      ok: false,
      findings: [
        { severity: 'ok', source: '10.0.3.1:3306', text: 'the server answers: MySQL 8.0.36' },
        { severity: 'warning', source: '10.0.3.1:3306', text: 'binlog_row_image is MINIMAL: only changed columns come', remedy: 'SET GLOBAL binlog_row_image = FULL' },
        { severity: 'failure', source: '10.0.3.1:3306', text: 'the account may not read the binlog', remedy: "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'canal'@'%'" },
      ],
    }
  if (tail === 'seek/preview') return plan(body)
  if (tail === 'seek') return { ...plan(body), done: true }
  if (tail === 'tables') return tables
  if (tail === 'logs') return [{ name: 'canal.log', size: 8 * MiB, modifiedMs: Date.now() }, { name: '2026-11-22/canal-2026-11-22-0.log.gz', size: MiB, modifiedMs: begun - 1440 * MINUTE }]
  if (tail === 'log') return logPage(query)
  return undefined
}

/** beyondEvent is the next event of a topic of the stream; undefined when there is none. */
export function beyondEvent(topic: string): unknown {
  if (topic === 'dashboard') return { ...dashboard(), series: dashboard().series?.slice(-1) }
  const [kind = '', id = ''] = topic.split(':')
  if (kind === 'instance') return { ...instance(Number(id)), series: instance(Number(id)).series?.slice(-1) }
  if (kind === 'cluster') return cluster()
  return undefined
}
