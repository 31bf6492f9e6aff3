import { call } from './client'
import type {
  CanalCluster,
  CanalConfig,
  CanalInstanceConfig,
  CanalUser,
  InstanceLog,
  LoginResult,
  NodeServer,
  NodeServerForm,
  OwnerGroup,
  Pager,
} from './types'

// The calls of Canal Admin's REST interface, with its paths.

type Signal = AbortSignal | undefined

export const login = (username: string, password: string) =>
  call<LoginResult>('POST', '/user/login', { body: { username, password }, quiet: true })
export const logout = () => call<string>('POST', '/user/logout', { quiet: true })
export const userInfo = () => call<CanalUser>('GET', '/user/info', { quiet: true })
/** changePassword stores a new password; the answer is "success". */
export const changePassword = (username: string, oldPassword: string, password: string) =>
  call<string>('PUT', '/user', { body: { username, oldPassword, password } })

export const clusters = (signal?: Signal) => call<CanalCluster[]>('GET', '/canal/clusters', { signal })
export const cluster = (id: number) => call<CanalCluster | null>('GET', `/canal/cluster/${id}`)
export const addCluster = (body: { name: string; zkHosts: string }) => call<string>('POST', '/canal/cluster', { body })
export const updateCluster = (body: { id: number; name: string; zkHosts: string }) => call<string>('PUT', '/canal/cluster', { body })
export const deleteCluster = (id: number) => call<string>('DELETE', `/canal/cluster/${id}`)
export const clustersAndServers = () => call<OwnerGroup[]>('GET', '/canal/clustersAndServers')

export interface NodeServerQuery {
  name?: string
  ip?: string
  /** -1: only those that are alone. */
  clusterId?: number
  page?: number
  size?: number
}

export const nodeServers = (query: NodeServerQuery, signal?: Signal) =>
  call<Pager<NodeServer>>('GET', '/nodeServers', { query: { ...query }, signal })
export const nodeServer = (id: number) => call<NodeServer | null>('GET', `/nodeServer/${id}`)
export const addNodeServer = (body: NodeServerForm) => call<string>('POST', '/nodeServer', { body })
export const updateNodeServer = (body: NodeServerForm) => call<string>('PUT', '/nodeServer', { body })
export const deleteNodeServer = (id: number) => call<string>('DELETE', `/nodeServer/${id}`)
/** startNodeServer answers false when the server refuses or cannot be reached. */
export const startNodeServer = (id: number) => call<boolean>('PUT', `/nodeServer/start/${id}`)
export const stopNodeServer = (id: number) => call<boolean>('PUT', `/nodeServer/stop/${id}`)
/** nodeServerLog is the end of canal.log; null when the server cannot be reached. */
export const nodeServerLog = (id: number) => call<string | null>('GET', `/nodeServer/log/${id}`)

/** canalConfig is the main configuration of a cluster, or (clusterId 0) of a server. */
export const canalConfig = (clusterId: number, serverId: number) =>
  call<CanalConfig>('GET', `/canal/config/${clusterId}/${serverId}`)
export const updateCanalConfig = (body: Partial<CanalConfig>) => call<string>('PUT', '/canal/config', { body })
export const canalConfigTemplate = () => call<string | null>('GET', '/canal/config/template')

export interface CanalInstanceQuery {
  name?: string
  /** cluster:<id> or server:<id> */
  clusterServerId?: string
  page?: number
  size?: number
}

export const canalInstances = (query: CanalInstanceQuery, signal?: Signal) =>
  call<Pager<CanalInstanceConfig>>('GET', '/canal/instances', { query: { ...query }, signal })
export const canalInstance = (id: number) => call<CanalInstanceConfig | null>('GET', `/canal/instance/${id}`)
export const addCanalInstance = (body: { name: string; content: string; clusterServerId: string }) =>
  call<string>('POST', '/canal/instance', { body })
export const updateCanalInstance = (body: { id: number; content: string; clusterServerId: string }) =>
  call<string>('PUT', '/canal/instance', { body })
export const deleteCanalInstance = (id: number) => call<string>('DELETE', `/canal/instance/${id}`)
/** startInstance starts it on one server that is alone; servers of a cluster decide themselves. */
export const startInstance = (id: number, serverId: number) => call<boolean>('PUT', `/canal/instance/start/${id}/${serverId}`)
export const stopInstance = (id: number, serverId: number) => call<boolean>('PUT', `/canal/instance/stop/${id}/${serverId}`)
/** setInstanceStatus stores whether the instance shall run. */
export const setInstanceStatus = (id: number, option: 'start' | 'stop') =>
  call<boolean>('PUT', `/canal/instance/status/${id}`, { query: { option } })
export const canalInstanceLog = (id: number, serverId: number) => call<InstanceLog>('GET', `/canal/instance/log/${id}/${serverId}`)
/** activeInstances is null when the server cannot be reached. */
export const activeInstances = (serverId: number) => call<CanalInstanceConfig[] | null>('GET', `/canal/active/instances/${serverId}`)
export const canalInstanceTemplate = () => call<string | null>('GET', '/canal/instance/template')
