// What the API gives and takes: Canal's entities with the names of Canal Admin's
// REST interface, and the types of internal/admin/api/model.go and
// internal/control/report.go. Times ending in Ms are milliseconds since the
// epoch, 0 when there is none; sizes are bytes.

/** Canal's pager: the answer of a list in pages. */
export interface Pager<T> {
  count: number
  items: T[]
  page: number
  size: number
  offset: number
}

export interface CanalCluster {
  id: number
  name: string
  zkHosts: string | null
  modifiedTime: string | null
}

/** "1" running, "0" stopped, "-1" out of reach. */
export type ServerStatus = '1' | '0' | '-1'

export interface NodeServer {
  id: number
  canalCluster: CanalCluster | null
  clusterId: number | null
  name: string
  ip: string
  adminPort: number | null
  tcpPort: number | null
  metricPort: number | null
  status: ServerStatus
  modifiedTime: string | null
}

/** The form of a server; clusterId "" means alone. */
export interface NodeServerForm {
  id?: number
  clusterId: number | ''
  name: string
  ip: string
  adminPort: number | null
  tcpPort: number | null
  metricPort: number | null
}

export interface CanalConfig {
  id: number | null
  clusterId: number | null
  serverId: number | null
  name: string
  content: string | null
  contentMd5: string | null
  status: string | null
  modifiedTime: string | null
}

export interface CanalInstanceConfig {
  id: number
  clusterId: number | null
  canalCluster: CanalCluster | null
  serverId: number | null
  nodeServer: NodeServer | null
  name: string
  content: string | null
  contentMd5: string | null
  status: string | null
  modifiedTime: string | null
  clusterServerId: string | null
  runningStatus: '0' | '1'
}

export interface CanalUser {
  id: number
  username: string
  password: string
  roles: string | null
  introduction: string | null
  avatar: string | null
  name: string | null
  creationDate: string | null
}

export interface LoginResult {
  token: string
  needPasswordChange?: string
}

/** One of the two groups of clusters and of servers that are alone. */
export interface OwnerGroup {
  label: string
  options: { label: string; value: string }[]
}

export interface InstanceLog {
  instance?: string
  log?: string | null
}

/** What is beside code and message when a call beyond Canal's fails. */
export interface Failure {
  reason: string
  remedy?: string
  fields?: Record<string, string>
}

export type Role = 'viewer' | 'operator' | 'admin'

export interface Me {
  id: number
  username: string
  name: string
  role: Role
  mustChangePassword: boolean
  version: string
  zoneMinutes: number
  /** canal.adminUser, which servers log in as; only administrators are told. */
  serverUser?: string
}

export interface Dashboard {
  atMs: number
  clusters: number
  servers: Record<string, number>
  instances: Record<string, number>
  /** Instances with tables in quarantine. */
  quarantined: number
  rowsRate: number
  bytesRate: number
  maxLagMs: number
  memory: number
  series: DashboardPoint[] | null
  attention: Attention[] | null
  busiest: InstanceSummary[] | null
  slowest: InstanceSummary[] | null
}

export interface DashboardPoint {
  atMs: number
  rowsRate: number
  bytesRate: number
  maxLagMs: number
  memory: number
  running: number
  troubled: number
}

export interface Attention {
  severity: 'warning' | 'error'
  kind: 'cluster' | 'server' | 'instance' | 'admin'
  id: number
  name: string
  text: string
  remedy?: string
  sinceMs: number
}

/** The states of an instance on a server, and what the admin adds to them. */
export type InstanceState =
  | 'running'
  | 'standby'
  | 'starting'
  | 'retrying'
  | 'failed'
  | 'stopped'
  | 'waiting'
  | 'lazy'
  | 'unknown'
  | 'down'

export interface InstanceSummary {
  id: number
  name: string
  clusterId: number
  clusterName: string
  serverId: number
  serverName: string
  wanted: boolean
  state: InstanceState
  reason?: string
  remedy?: string
  source?: string
  lagMs: number
  lagBytes: number
  rowsRate: number
  clients: number
  outOfDate: boolean
  /** Tables in quarantine. */
  quarantined: number
  modifiedMs: number
}

export interface Page<T> {
  count: number
  items: T[] | null
  page: number
  size: number
}

export interface InstanceQuery {
  name?: string
  clusterId?: number
  serverId?: number
  state?: string
  sort?: string
  page?: number
  size?: number
}

export interface InstanceDetail extends InstanceSummary {
  atMs: number
  report?: InstanceReport
  rates: Rates
  series: RatesPoint[] | null
  servers: InstanceOnServer[] | null
  cursors: ClusterCursor[] | null
}

export interface Rates {
  readBytes: number
  readEvents: number
  putRows: number
  getRows: number
  ackRows: number
  transactions: number
}

export interface RatesPoint extends Rates {
  atMs: number
  lagMs: number
  lagBytes: number
  used: number
}

export interface InstanceOnServer {
  serverId: number
  serverName: string
  address: string
  towpath: boolean
  state: InstanceState
  sinceMs: number
  reason?: string
  remedy?: string
}

export interface ClusterCursor {
  clientId: number
  filter: string
  client?: string
  cursor: Position
}

export interface ServerSummary {
  id: number
  clusterId: number
  clusterName: string
  name: string
  ip: string
  adminPort: number
  tcpPort: number
  metricPort: number
  status: ServerStatus
  kind: 'towpath' | 'canal' | ''
  secure: boolean
  error?: string
  remedy?: string
  sinceMs: number
  lastPollMs: number
  outOfDate: boolean
  instances: number
  draining: boolean
  rowsRate: number
  cpu: number
  report?: ServerReport
}

export interface ServerDetail extends ServerSummary {
  instanceList: InstanceOnThis[] | null
  series: ServerPoint[] | null
}

export interface InstanceOnThis {
  instanceId: number
  name: string
  state: InstanceState
  sinceMs: number
  reason?: string
  remedy?: string
  quarantined: number
}

export interface ServerPoint {
  atMs: number
  cpu: number
  memory: number
  rowsRate: number
}

export interface ClusterDetail {
  id: number
  name: string
  zkHosts: string
  hasConfig: boolean
  zooKeeper: ZooKeeperCheck
  servers: ClusterServer[] | null
  instances: ClusterInstance[] | null
  orders: ClusterOrder[] | null
  problems: string[] | null
  atMs: number
}

export interface ClusterServer {
  id: number
  name: string
  address: string
  status: ServerStatus
  registered: boolean
  towpath: boolean
  version?: string
  weight: number
  draining: boolean
  owns: number
}

export interface ClusterInstance {
  id: number
  name: string
  owner: string
  sinceMs: number
  competitors: string[] | null
  lagMs: number
  quarantined: number
}

export interface ClusterOrder {
  destination: string
  to: string
  by: string
  atMs: number
}

export interface ClusterCommand {
  address?: string
  instance?: string
  to?: string
}

export interface ClusterCommandResult {
  text: string
}

export interface ZooKeeperCheck {
  ok: boolean
  text: string
  remedy?: string
  servers: ZooKeeperServer[] | null
}

export interface ZooKeeperServer {
  address: string
  ok: boolean
  mode?: string
  version?: string
  connections: number
  latencyMs: number
  error?: string
  remedy?: string
}

export interface ZooKeeperNode {
  path: string
  data: string
  binary: boolean
  size: number
  ephemeral: boolean
  owner?: string
  createdMs: number
  modifiedMs: number
  version: number
  children: ZooKeeperChild[] | null
  meaning?: string
}

export interface ZooKeeperChild {
  name: string
  children: number
  ephemeral: boolean
}

export interface ConfigProblem {
  line: number
  key?: string
  severity: 'error' | 'warning' | 'info'
  message: string
  suggestion?: string
}

export type ConfigKind = 'server' | 'instance'

export interface ValidateRequest {
  kind: ConfigKind
  content: string
  clusterId?: number
}

export interface ConfigKey {
  name: string
  default?: string
  effect: string
  status: string
  secret: boolean
}

export interface ConfigVersions {
  rowId: number
  stored: string
  storedMd5: string
  masked: boolean
  modifiedMs: number
  running: RunningConfig[] | null
}

export interface RunningConfig {
  serverId: number
  serverName: string
  error?: string
  upToDate: boolean
  md5?: string
  text: string
  values: ConfigValue[] | null
}

export interface ConfigValue {
  key: string
  value: string
  source: string
}

export interface SaveConfig {
  content: string
  baseMd5: string
  comment?: string
}

export interface RevisionSummary {
  id: number
  atMs: number
  username: string
  comment?: string
  md5: string
  current: boolean
  deleted: boolean
}

export interface RevisionText extends RevisionSummary {
  content: string
}

export interface NewInstance {
  name: string
  address: string
  standby?: string
  username: string
  password: string
  regex: string
  blackRegex?: string
  gtid: boolean
  start: StartAt
}

export interface StartAt {
  kind: 'end' | 'position' | 'time' | 'gtid'
  file?: string
  offset?: number
  timestampMs?: number
  gtidSet?: string
}

export interface CheckSource {
  name: string
  content: string
  clusterServerId: string
  instanceId?: number
}

export interface CheckResult {
  checkedBy: string
  ok: boolean
  findings: Finding[] | null
}

export interface FilterTest {
  whiteRegex: string
  blackRegex: string
  whiteField?: string
  blackField?: string
  names: string[]
}

export interface FilterTestResult {
  name: string
  passes: boolean
  why: string
  matched?: string
}

export interface UserInfo {
  id: number
  username: string
  name: string
  role: Role
  disabled: boolean
  createdMs: number
  lastSeenMs: number
  sessions: number
}

export interface NewUser {
  username: string
  name: string
  role: Role
  password: string
}

export interface UserChange {
  name?: string
  role?: Role
  disabled?: boolean
  password?: string
}

export interface AuditItem {
  id: number
  atMs: number
  username: string
  address: string
  action: string
  kind: string
  targetId: number
  target: string
  ok: boolean
  detail: string
}

export interface AuditQuery {
  username?: string
  action?: string
  kind?: string
  target?: string
  fromMs?: number
  toMs?: number
  before?: number
  limit?: number
}

// Of internal/control/report.go.

export interface ServerReport {
  version: string
  goVersion: string
  host: string
  pid: number
  startedMs: number
  nowMs: number
  running: boolean
  address: string
  cpuSeconds: number
  memory: number
  heap: number
  goroutines: number
  budget: number
  budgetUsed: number
  sessions: number
  configSource: string
  configMd5?: string
  configAtMs?: number
  adminError?: string
  zooKeeper?: string
  zooKeeperConnected: boolean
  draining: boolean
  instances: InstanceReport[] | null
  errors: ErrorReport[] | null
}

export interface InstanceReport {
  destination: string
  state: InstanceState
  sinceMs: number
  reason?: string
  remedy?: string
  configMd5?: string
  source?: SourceReport
  pipeline?: PipelineReport
  store?: StoreReport
  clients?: ClientReport[]
  lagMs: number
  lagBytes: number
  quarantined?: number
  quarantine?: QuarantineReport[]
  history?: HistoryReport
  filter?: FilterReport
  errors?: ErrorReport[]
}

/** A table whose rows do not fit any definition that is known of it. */
export interface QuarantineReport {
  schema: string
  table: string
  reason: string
  remedy?: string
  sinceMs: number
  position: Position
  /** Events of rows since the instance started. */
  rows: number
  /** The rows were delivered with the columns @1, @2, …, not held back. */
  marked?: boolean
  /** Where the rows flow again, with a gap before. */
  until?: Position
}

/** Where an instance keeps what its tables were, and how that goes. */
export interface HistoryReport {
  kind: 'sqlite' | 'mysql' | 'zookeeper' | 'memory'
  place?: string
  changes: number
  lastChangeMs?: number
  lastSnapshotMs?: number
  error?: string
}

export interface Position {
  file?: string
  offset?: number
  gtidSet?: string
  timestampMs?: number
}

export interface SourceReport {
  phase: string
  sinceMs: number
  address: string
  version?: string
  reason?: string
  remedy?: string
  failures: number
  switches: number
  bytes: number
  events: number
  lastByteMs?: number
  read: Position
  head: Position
  headAtMs?: number
}

export interface PipelineReport {
  transactions: number
  lastEventMs: number
  publishWaitMs: number
  storeWaitMs: number
  skippedRows: number
}

export interface StoreReport {
  slots: number
  used: number
  usedBytes: number
  putEntries: number
  putRows: number
  putBytes: number
  getEntries: number
  getRows: number
  getBytes: number
  ackEntries: number
  ackRows: number
  ackBytes: number
  fullSinceMs?: number
  fullReason?: string
}

export interface ClientReport {
  id: number
  filter: string
  connected: string[] | null
  hasCursor: boolean
  cursor: Position
  openBatches: number
  oldestBatch?: number
  oldestSinceMs?: number
  unacked: number
}

export interface FilterReport {
  whiteRegex: string
  blackRegex: string
  whiteField?: string
  blackField?: string
}

export interface ErrorReport {
  level: 'warn' | 'error'
  firstMs: number
  lastMs: number
  times: number
  text: string
  remedy?: string
}

export interface LogFile {
  name: string
  size: number
  modifiedMs: number
}

export interface LogQuery {
  serverId?: number
  file?: string
  offset?: number
  backwards?: boolean
  lines?: number
  search?: string
  level?: string
}

export interface LogPage {
  file: string
  first: number
  next: number
  size: number
  lines: LogLine[] | null
  more: boolean
}

export interface LogLine {
  offset: number
  level?: string
  text: string
}

export interface Finding {
  severity: 'ok' | 'warning' | 'failure'
  destination?: string
  source?: string
  text: string
  remedy?: string
}

export interface SeekParams {
  clientId?: number
  file?: string
  offset?: number
  timestampMs?: number
  gtidSet?: string
  end?: boolean
}

export interface SeekPlan {
  from: ClientPosition[] | null
  to: Position
  available: BinlogFile[] | null
  backwards: boolean
  bytes: number
  consequences: string[] | null
  done: boolean
}

export interface ClientPosition {
  clientId: number
  cursor: Position
}

export interface BinlogFile {
  name: string
  size: number
}

export interface TableReport {
  schema: string
  table: string
  sinceMs?: number
  from: Position
  ddl?: string
  columns: ColumnReport[] | null
}

export interface ColumnReport {
  name: string
  type: string
  key: boolean
  nullable: boolean
}

/** What stands in the place of a secret that is not shown. */
export const MASKED = '******'
