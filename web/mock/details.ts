import type {
  ClusterDetail,
  ConfigVersions,
  Dashboard,
  HistoryReport,
  InstanceDetail,
  InstanceReport,
  LogPage,
  QuarantineReport,
  RatesPoint,
  SeekPlan,
  ServerDetail,
  TableReport,
  ZooKeeperCheck,
  ZooKeeperNode,
} from '../src/api/types'
import {
  clusters,
  configs,
  instances,
  instancesOf,
  md5Of,
  servers,
  serverSummary,
  START,
  summary,
  wave,
  type MockInstance,
  type MockServer,
} from './world'

// The answers that are made of many things.

const STEP = 10_000
const moments = (count: number, at: number) => Array.from({ length: count }, (_, k) => at - (count - 1 - k) * STEP)

export function dashboard(points: number): Dashboard {
  const at = Date.now()
  const all = instances.map((i) => summary(i, at))
  const tally = (words: string[]) => words.reduce<Record<string, number>>((n, w) => ({ ...n, [w]: (n[w] ?? 0) + 1 }), {})
  const total = instances.reduce((sum, i) => sum + i.rowsRate, 0)
  const troubled = all.filter((i) => ['failed', 'retrying', 'down'].includes(i.state))
  const runningNow = all.filter((i) => i.state === 'running').length
  return {
    atMs: at,
    clusters: clusters.length,
    servers: tally(servers.map((s) => s.status)),
    instances: tally(all.map((i) => i.state)),
    quarantined: all.filter((i) => i.quarantined > 0).length,
    rowsRate: wave(total, 1, at),
    bytesRate: wave(total * 310, 2, at),
    maxLagMs: Math.max(...all.map((i) => i.lagMs)),
    memory: wave(3.2 * 1024 ** 3, 5, at),
    series: moments(points, at).map((m) => ({
      atMs: m,
      rowsRate: wave(total, 1, m),
      bytesRate: wave(total * 310, 2, m),
      maxLagMs: wave(5_400_000, 3, m),
      memory: wave(3.2 * 1024 ** 3, 5, m),
      running: runningNow,
      troubled: troubled.length,
    })),
    attention: [
      ...servers
        .filter((s) => s.status === '-1')
        .map((s) => ({ severity: 'error' as const, kind: 'server' as const, id: s.id, name: s.name, text: `${s.name} cannot be reached`, remedy: 'Check that the machine runs and that the admin may reach it.', sinceMs: s.sinceMs })),
      { severity: 'warning', kind: 'cluster', id: 3, name: 'staging', text: 'the main configuration is not stored', remedy: 'Store it, so that servers of this cluster can start.', sinceMs: at - 86_400_000 },
      ...all
        .filter((i) => i.quarantined > 0)
        .slice(0, 2)
        .map((i) => ({ severity: 'warning' as const, kind: 'instance' as const, id: i.id, name: i.name, text: `${i.quarantined} of its tables are in quarantine, because their rows do not fit what is known of them`, remedy: 'look at the page of the instance, which says of each table what mends it', sinceMs: at - i.id * 60_000 })),
      ...troubled
        .slice(0, 6)
        .map((i) => ({ severity: i.state === 'retrying' ? ('warning' as const) : ('error' as const), kind: 'instance' as const, id: i.id, name: i.name, text: i.reason ?? i.state, remedy: i.remedy, sinceMs: at - i.id * 60_000 })),
    ],
    busiest: [...all].sort((a, b) => b.rowsRate - a.rowsRate).slice(0, 10),
    slowest: [...all].sort((a, b) => b.lagMs - a.lagMs).slice(0, 10),
  }
}

function rates(i: MockInstance, at: number): RatesPoint {
  const rows = wave(i.rowsRate, i.id, at)
  return {
    atMs: at,
    readBytes: rows * 340,
    readEvents: rows * 1.4,
    putRows: rows * 1.02,
    getRows: rows,
    ackRows: rows * 0.99,
    transactions: rows / 7,
    lagMs: summary(i, at).lagMs,
    lagBytes: summary(i, at).lagBytes,
    used: wave(9 * 1024 ** 2, i.id, at),
  }
}

const dismissed = new Set<string>()

/** dismiss takes a table off the list of an instance; false when it is not there. */
export function dismiss(i: MockInstance, schema: string, table: string): boolean {
  if (!quarantine(i, 0).some((q) => q.schema === schema && q.table === table)) return false
  dismissed.add(`${i.id} ${table}`)
  i.quarantined--
  return true
}

/** quarantine is what is wrong with the tables of an instance. */
function quarantine(i: MockInstance, at: number): QuarantineReport[] {
  return ['orders', 'order_items', 'customers'].filter((table) => !dismissed.has(`${i.id} ${table}`)).slice(0, i.quarantined).map((table, k) => ({
    schema: 'shop',
    table,
    marked: table === 'order_items',
    until: table === 'customers' ? { file: 'mysql-bin.000412', offset: 52_000_000 } : undefined,
    reason: `a row has ${7 + k} columns, and ${6 + k} are known of the table since its last change at mysql-bin.000412:4711`,
    remedy: 'for rows that tell the names of their columns set binlog_row_metadata=FULL at the source; copy the table to the clients anew, or leave it out by canal.instance.filter.black.regex',
    sinceMs: at - (k + 1) * 4_000_000,
    position: { file: 'mysql-bin.000412', offset: 48_211_000 + k, timestampMs: at - (k + 1) * 4_000_000 },
    rows: k === 0 ? 1 : 12_418 * k,
  }))
}

const histories: HistoryReport[] = [
  { kind: 'sqlite', place: 'conf/orders_0001/h2.sqlite', changes: 418, lastChangeMs: START - 7_200_000, lastSnapshotMs: START - 80_000_000 },
  { kind: 'mysql', place: '10.20.9.1:3306/canal_tsdb', changes: 12_004, lastChangeMs: START - 60_000, lastSnapshotMs: START - 40_000_000, error: 'connect to 10.20.9.1:3306: connection refused' },
  { kind: 'zookeeper', place: '/towpath/history', changes: 3, lastChangeMs: START - 900_000 },
  { kind: 'memory', changes: 0 },
]

function instanceReport(i: MockInstance, at: number): InstanceReport {
  const position = { file: 'mysql-bin.000412', offset: 48_211_903 + (at % 1_000_000), timestampMs: at - Math.max(0, i.lagMs) }
  const s = summary(i, at)
  return {
    destination: i.name,
    state: i.state,
    sinceMs: at - 3 * 86_400_000,
    reason: s.reason,
    remedy: s.remedy,
    configMd5: md5Of(i.content),
    source: {
      phase: i.state === 'running' ? 'streaming' : 'connecting',
      sinceMs: at - 7_200_000,
      address: i.source,
      version: '8.0.36',
      reason: s.reason,
      remedy: s.remedy,
      failures: i.state === 'retrying' ? 12 : 0,
      switches: 1,
      bytes: 81_220_000_000,
      events: 220_100_300,
      lastByteMs: at - 300,
      read: { ...position, gtidSet: '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-98231' },
      head: { ...position, offset: position.offset + Math.max(0, s.lagBytes) },
      headAtMs: at - 2_000,
    },
    pipeline: { transactions: 31_000_212, lastEventMs: at - 400, publishWaitMs: 120, storeWaitMs: 4_400, skippedRows: 0 },
    store: { slots: 16_384, used: 1_200 + (at % 700), usedBytes: wave(9 * 1024 ** 2, i.id, at), putEntries: 41e6, putRows: 39e6, putBytes: 12e9, getEntries: 40.9e6, getRows: 38.9e6, getBytes: 11.9e9, ackEntries: 40.8e6, ackRows: 38.8e6, ackBytes: 11.8e9 },
    clients: [{ id: 1001, filter: '.*\\..*', connected: ['10.20.7.31:53022'], hasCursor: true, cursor: position, openBatches: 1, oldestBatch: 88123, oldestSinceMs: at - 240, unacked: 96 }],
    lagMs: s.lagMs,
    lagBytes: s.lagBytes,
    quarantined: i.quarantined,
    quarantine: quarantine(i, at),
    history: histories[i.id % histories.length],
    filter: { whiteRegex: '.*\\..*', blackRegex: 'mysql\\.slave_.*' },
    errors: i.reason ? [{ level: 'error', firstMs: at - 3_600_000, lastMs: at - 5_000, times: 41, text: i.reason, remedy: i.remedy }] : [],
  }
}

export function instanceDetail(i: MockInstance, points: number): InstanceDetail {
  const at = Date.now()
  const may = servers.filter((s) => (i.clusterId ? s.clusterId === i.clusterId : s.id === i.serverId))
  return {
    ...summary(i, at),
    atMs: at,
    report: i.serverId && i.state !== 'down' && i.state !== 'stopped' ? instanceReport(i, at) : undefined,
    rates: rates(i, at),
    series: moments(points, at).map((m) => rates(i, m)),
    servers: may.map((s) => ({
      serverId: s.id,
      serverName: s.name,
      address: `${s.ip}:${s.tcpPort}`,
      towpath: s.kind === 'towpath',
      state: s.status === '-1' ? 'unknown' : s.id === i.serverId ? i.state : i.state === 'stopped' ? 'stopped' : 'standby',
      sinceMs: s.sinceMs,
    })),
    cursors: [],
  }
}

export function serverDetail(s: MockServer): ServerDetail {
  const at = Date.now()
  return {
    ...serverSummary(s, at),
    instanceList: instancesOf(s.id).slice(0, 300).map((i) => ({ instanceId: i.id, name: i.name, state: i.state, sinceMs: at - i.id * 1000, reason: i.reason, remedy: i.remedy, quarantined: i.quarantined })),
    series: moments(180, at).map((m) => ({ atMs: m, cpu: wave(0.6, s.id, m), memory: wave(540 * 1024 ** 2, s.id, m), rowsRate: wave(52_000, s.id, m) })),
  }
}

/** checkZooKeeper finds hosts that end in 9 dead, and the first one leading. */
export function checkZooKeeper(hosts: string): ZooKeeperCheck {
  const list = hosts.split(',').map((h) => h.trim()).filter(Boolean)
  const answers = list.map((address, k) => {
    const ok = !/9(:\d+)?$/.test(address)
    return {
      address,
      ok,
      mode: ok ? (list.length === 1 ? 'standalone' : k === 0 ? 'leader' : 'follower') : undefined,
      version: ok ? '3.8.4' : undefined,
      connections: ok ? 12 + k : 0,
      latencyMs: ok ? 0.4 + k / 10 : 0,
      error: ok ? undefined : `connect to ${address}: connection refused`,
      remedy: ok ? undefined : 'Check that ZooKeeper runs there and listens on that port.',
    }
  })
  const up = answers.filter((a) => a.ok).length
  const ok = up * 2 > list.length
  return {
    ok,
    text: ok ? `${up} of ${list.length} servers answer; the ensemble serves.` : `Only ${up} of ${list.length} servers answer; an ensemble needs a majority.`,
    remedy: ok ? undefined : 'Start the servers that do not answer, or correct their addresses.',
    servers: answers,
  }
}

export function clusterDetail(id: number): ClusterDetail {
  const c = clusters.find((x) => x.id === id)
  const at = Date.now()
  const own = servers.filter((s) => s.clusterId === id)
  const address = (s: MockServer) => `${s.ip}:${s.tcpPort}`
  return {
    id,
    name: c?.name ?? '',
    zkHosts: c?.zkHosts ?? '',
    hasConfig: configs.has(`clusters:${id}`),
    zooKeeper: checkZooKeeper(c?.zkHosts ?? ''),
    servers: own.map((s) => ({ id: s.id, name: s.name, address: address(s), status: s.status, registered: s.status === '1', towpath: s.kind === 'towpath', version: s.kind === 'towpath' ? '1.2.0' : '1.1.8', weight: 1, draining: s.draining, owns: instancesOf(s.id).length })),
    instances: instances
      .filter((i) => i.clusterId === id)
      .slice(0, 400)
      .map((i) => {
        const owner = own.find((s) => s.id === i.serverId)
        return { id: i.id, name: i.name, owner: owner ? address(owner) : '', sinceMs: at - i.id * 60_000, competitors: own.filter((s) => s.status === '1').map(address), lagMs: summary(i, at).lagMs, quarantined: i.quarantined }
      }),
    orders: [],
    problems: configs.has(`clusters:${id}`) ? [] : ['the main configuration is not stored'],
    atMs: at,
  }
}

export function zooKeeperNode(path: string): ZooKeeperNode {
  const tree: Record<string, string[]> = {
    '/': ['otter', 'zookeeper'],
    '/otter': ['canal'],
    '/otter/canal': ['cluster', 'destinations'],
    '/otter/canal/cluster': ['10.20.1.11:11111', '10.20.1.12:11111'],
    '/otter/canal/destinations': instances.filter((i) => i.clusterId === 1).slice(0, 40).map((i) => i.name),
  }
  const destination = /^\/otter\/canal\/destinations\/[^/]+$/.test(path)
  const children = tree[path] ?? (destination ? ['1001', 'cluster', 'running'] : [])
  const isRunning = path.endsWith('/running')
  const data = isRunning ? '{"active":true,"address":"10.20.1.11:11111"}' : ''
  const at = Date.now()
  return {
    path,
    data,
    binary: false,
    size: data.length,
    ephemeral: isRunning,
    owner: isRunning ? '0x1000021f5c40003' : undefined,
    createdMs: at - 86_400_000,
    modifiedMs: at - 3_600_000,
    version: 3,
    children: children.map((name) => ({ name, children: name === 'running' ? 0 : 3, ephemeral: name === 'running' || path.endsWith('/cluster') })),
    meaning: isRunning ? 'running' : undefined,
  }
}

export function configVersions(key: string, stored: string | undefined): ConfigVersions {
  const text = stored ?? ''
  const [kind, id] = key.split(':')
  const i = kind === 'instances' ? instances.find((x) => x.id === Number(id)) : undefined
  const runners = servers.filter((s) => s.kind === 'towpath' && s.status === '1' && (i ? s.id === i.serverId : kind === 'clusters' ? s.clusterId === Number(id) : s.id === Number(id)))
  return {
    rowId: stored === undefined ? 0 : 1,
    stored: text,
    storedMd5: md5Of(text),
    masked: false,
    modifiedMs: i?.modifiedMs ?? Date.now() - 86_400_000,
    running: runners.map((s) => ({
      serverId: s.id,
      serverName: s.name,
      upToDate: !i?.outOfDate,
      md5: md5Of(text),
      text: i?.outOfDate ? text.replace('mysql\\\\.slave_.*', '') : text,
      values: text
        .split('\n')
        .filter((l) => /^[^#].*=/.test(l))
        .map((l) => ({ key: l.split('=')[0]?.trim() ?? '', value: l.split('=').slice(1).join('=').trim(), source: 'admin' })),
    })),
  }
}

const LEVELS = ['INFO', 'INFO', 'INFO', 'WARN', 'INFO', 'ERROR']
const LINE = 96

/** log makes lines by their offset, so that the same offset has the same line. */
export function log(query: URLSearchParams): LogPage {
  const size = 180_000 - (180_000 % LINE) + Math.floor((Date.now() - 1.7e12) / 3000) * LINE
  const lines = Math.min(2000, Number(query.get('lines')) || 200)
  const wanted = Number(query.get('offset') ?? -1)
  const back = query.get('backwards') === 'true' || wanted < 0
  const at = wanted < 0 ? size : wanted
  const first = back ? Math.max(0, at - lines * LINE) : at
  const next = back ? at : Math.min(size, at + lines * LINE)
  const search = query.get('search')?.toLowerCase() ?? ''
  const level = query.get('level') ?? ''
  const out = []
  for (let o = first; o < next; o += LINE) {
    const n = o / LINE
    const l = LEVELS[n % LEVELS.length] ?? 'INFO'
    const text = `${new Date(1.7e12 + n * 3000).toISOString()} ${l} binlog event applied: table orders.item_${n % 17}, ${n % 90} rows`
    if (text.toLowerCase().includes(search) && (!level || l === level || (level === 'WARN' && l === 'ERROR'))) out.push({ offset: o, level: l, text })
  }
  return { file: query.get('file') || 'canal.log', first, next, size, lines: out, more: back ? first > 0 : next < size }
}

export function seekPlan(done: boolean): SeekPlan {
  const at = Date.now()
  return {
    from: [{ clientId: 1001, cursor: { file: 'mysql-bin.000412', offset: 48_211_903, timestampMs: at } }],
    to: { file: 'mysql-bin.000410', offset: 4, timestampMs: at - 7_200_000 },
    available: [409, 410, 411, 412].map((n) => ({ name: `mysql-bin.000${n}`, size: 1024 ** 3 })),
    backwards: true,
    bytes: 2 * 1024 ** 3 + 48_211_903,
    consequences: ['Client 1001 gets about 2 GiB of changes again.', 'The instance stops for some seconds.'],
    done,
  }
}

export const tables: TableReport[] = ['orders', 'order_items', 'customers'].map((table) => ({
  schema: 'shop',
  table,
  sinceMs: Date.now() - 86_400_000,
  from: { file: 'mysql-bin.000401', offset: 1200 },
  ddl: `ALTER TABLE ${table} ADD COLUMN note varchar(255)`,
  columns: [
    { name: 'id', type: 'bigint', key: true, nullable: false },
    { name: 'created_at', type: 'timestamp', key: false, nullable: false },
    { name: 'note', type: 'varchar(255)', key: false, nullable: true },
  ],
}))
