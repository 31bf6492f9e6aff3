import { call } from './client'
import type {
  AuditItem,
  AuditQuery,
  CheckResult,
  CheckSource,
  ClusterCommand,
  ClusterCommandResult,
  ClusterDetail,
  ConfigKey,
  ConfigKind,
  ConfigProblem,
  ConfigVersions,
  Dashboard,
  FilterTest,
  FilterTestResult,
  InstanceDetail,
  InstanceQuery,
  InstanceSummary,
  LogFile,
  LogPage,
  LogQuery,
  Me,
  NewInstance,
  NewUser,
  Page,
  RevisionSummary,
  RevisionText,
  SaveConfig,
  SeekParams,
  SeekPlan,
  ServerDetail,
  ServerSummary,
  TableReport,
  UserChange,
  UserInfo,
  ValidateRequest,
  ZooKeeperCheck,
  ZooKeeperNode,
} from './types'

// The calls under /towpath, beyond Canal's.

type Signal = AbortSignal | undefined

/** Orders to a cluster answer after 20 s at the latest, checks of sources take a while. */
const LONG_MS = 90_000

export const me = () => call<Me>('GET', '/towpath/me', { quiet: true })
export const dashboard = (signal?: Signal) => call<Dashboard>('GET', '/towpath/dashboard', { signal })

export const instances = (query: InstanceQuery, signal?: Signal) =>
  call<Page<InstanceSummary>>('GET', '/towpath/instances', { query: { ...query }, signal })
export const instance = (id: number, signal?: Signal) => call<InstanceDetail>('GET', `/towpath/instances/${id}`, { signal })
export const servers = (clusterId?: number, signal?: Signal) =>
  call<ServerSummary[] | null>('GET', '/towpath/servers', { query: { clusterId }, signal })
export const server = (id: number, signal?: Signal) => call<ServerDetail>('GET', `/towpath/servers/${id}`, { signal })
export const clusterDetail = (id: number, signal?: Signal) => call<ClusterDetail>('GET', `/towpath/clusters/${id}`, { signal })

export type ClusterOrderName = 'drain' | 'undrain' | 'move' | 'release' | 'rebalance'
export const clusterOrder = (id: number, order: ClusterOrderName, body: ClusterCommand) =>
  call<ClusterCommandResult>('POST', `/towpath/clusters/${id}/${order}`, { body, timeoutMs: LONG_MS })

export const checkZooKeeper = (zkHosts: string, signal?: Signal) =>
  call<ZooKeeperCheck>('POST', '/towpath/zookeeper/check', { body: { zkHosts }, signal })
export const zooKeeperNode = (clusterId: number, path: string, signal?: Signal) =>
  call<ZooKeeperNode>('GET', `/towpath/clusters/${clusterId}/zookeeper`, { query: { path }, signal })

/** What has a configuration text. */
export type Owner = 'instances' | 'clusters' | 'servers'

export const configVersions = (owner: Owner, id: number, signal?: Signal) =>
  call<ConfigVersions>('GET', `/towpath/${owner}/${id}/config`, { signal })
export const saveConfig = (owner: Owner, id: number, body: SaveConfig) =>
  call<ConfigVersions>('PUT', `/towpath/${owner}/${id}/config`, { body })
export const revisions = (owner: Owner, id: number) =>
  call<RevisionSummary[] | null>('GET', `/towpath/${owner}/${id}/config/history`)
export const revision = (owner: Owner, id: number, revisionId: number) =>
  call<RevisionText>('GET', `/towpath/${owner}/${id}/config/history/${revisionId}`)
export const restoreRevision = (owner: Owner, id: number, revisionId: number) =>
  call<ConfigVersions>('POST', `/towpath/${owner}/${id}/config/history/${revisionId}/restore`)
export const validateConfig = (body: ValidateRequest, signal?: Signal) =>
  call<ConfigProblem[] | null>('POST', '/towpath/config/validate', { body, signal })
export const configKeys = (kind: ConfigKind) => call<ConfigKey[] | null>('GET', '/towpath/config/keys', { query: { kind } })

/** instanceForm gives the instance.properties that a form comes to. */
export const instanceForm = (body: NewInstance) => call<{ content: string }>('POST', '/towpath/instances/form', { body })
export const checkSource = (body: CheckSource, signal?: Signal) =>
  call<CheckResult>('POST', '/towpath/check', { body, signal, timeoutMs: LONG_MS })
export const testFilter = (body: FilterTest, signal?: Signal) =>
  call<FilterTestResult[] | null>('POST', '/towpath/filter/test', { body, signal })

export const seekPreview = (id: number, body: SeekParams) =>
  call<SeekPlan>('POST', `/towpath/instances/${id}/seek/preview`, { body, timeoutMs: LONG_MS })
export const seek = (id: number, body: SeekParams) =>
  call<SeekPlan>('POST', `/towpath/instances/${id}/seek`, { body, timeoutMs: LONG_MS })
/** dismiss takes a table off the list of those in quarantine. */
export const dismiss = (id: number, schema: string, table: string) =>
  call<string>('POST', `/towpath/instances/${id}/quarantine/dismiss`, { body: { schema, table } })
export const tables = (id: number, schema?: string, table?: string, signal?: Signal) =>
  call<TableReport[] | null>('GET', `/towpath/instances/${id}/tables`, { query: { schema, table }, signal })

/** Whose logs. serverId says which server of an instance, 0 the one that runs it. */
export type LogOwner = 'servers' | 'instances'
export const logFiles = (owner: LogOwner, id: number, serverId = 0) =>
  call<LogFile[] | null>('GET', `/towpath/${owner}/${id}/logs`, { query: { serverId } })
export const logPage = (owner: LogOwner, id: number, query: LogQuery, signal?: Signal) =>
  call<LogPage>('GET', `/towpath/${owner}/${id}/log`, { query: { ...query }, signal })

export const users = () => call<UserInfo[] | null>('GET', '/towpath/users')
export const addUser = (body: NewUser) => call<UserInfo>('POST', '/towpath/users', { body })
export const changeUser = (id: number, body: UserChange) => call<UserInfo>('PUT', `/towpath/users/${id}`, { body })
export const deleteUser = (id: number) => call<unknown>('DELETE', `/towpath/users/${id}`)
export const revokeSessions = (id: number) => call<unknown>('POST', `/towpath/users/${id}/sessions/revoke`)
export const audit = (query: AuditQuery, signal?: Signal) =>
  call<AuditItem[] | null>('GET', '/towpath/audit', { query: { ...query }, signal })
