import type { InstanceState, ServerStatus } from '@/api/types'

export type TagType = 'success' | 'info' | 'warning' | 'danger' | 'primary'

export const serverTags: Record<ServerStatus, TagType> = { '1': 'success', '0': 'info', '-1': 'danger' }

/** Canal's running states of an instance. */
export const runningTags: Record<'0' | '1', TagType> = { '1': 'success', '0': 'info' }

export const instanceTags: Record<InstanceState, TagType> = {
  running: 'success',
  standby: 'info',
  starting: 'primary',
  retrying: 'warning',
  failed: 'danger',
  stopped: 'info',
  waiting: 'warning',
  lazy: 'info',
  unknown: 'warning',
  down: 'danger',
}

/** withQuarantine is amber, unless worse, while tables of an instance are in quarantine. */
export function withQuarantine(state: TagType, tables: number): TagType {
  return tables > 0 && state !== 'danger' ? 'warning' : state
}
