import type { NodeServer } from '@/api/types'

// What Canal Admin refuses before it asks its server: the key of the text that
// says why, in servers.json and instances.json, or "" when it may be done.

/** A server of a cluster has the configuration of its cluster. */
export function configGuard(server: Pick<NodeServer, 'canalCluster' | 'clusterId'>): string {
  return server.canalCluster !== null || (server.clusterId ?? 0) > 0 ? 'servers.guard.config' : ''
}

export function startServerGuard(status: string): string {
  return status === '0' ? '' : 'servers.guard.start'
}

export function stopServerGuard(status: string): string {
  return status === '1' ? '' : 'servers.guard.stop'
}

export function startInstanceGuard(runningStatus: string): string {
  return runningStatus === '0' ? '' : 'instances.guard.start'
}

export function stopInstanceGuard(runningStatus: string): string {
  return runningStatus === '1' ? '' : 'instances.guard.stop'
}

/** The log of an instance is on the server that runs it. */
export function instanceLogGuard(serverId: number | null | undefined): string {
  return serverId ? '' : 'instances.guard.log'
}
