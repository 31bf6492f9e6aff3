import * as canal from '@/api/canal'
import * as towpath from '@/api/towpath'
import type { InstanceSummary, QuarantineReport } from '@/api/types'
import { confirm } from '@/components/confirm'
import { toast, toastError } from '@/components/toast'
import { t } from '@/i18n'

// What can be done to an instance from its page. Each asks first where Canal's
// pages ask, says how it went, and gives true when it was done.

async function tried(f: () => Promise<unknown>, success: string, refused = ''): Promise<boolean> {
  try {
    if ((await f()) === false) {
      toast(refused, 'error')
      return false
    }
    toast(success)
    return true
  } catch (e) {
    toastError(e)
    return false
  }
}

/** start stores that it shall run; servers take that over within their interval. */
export function start(i: InstanceSummary): Promise<boolean> {
  return tried(() => canal.setInstanceStatus(i.id, 'start'), t('instanceDetail.started'), t('instanceDetail.startRefused'))
}

export async function stop(i: InstanceSummary): Promise<boolean> {
  const sure = await confirm({ title: t('instanceDetail.stop'), target: i.name, text: t('instanceDetail.stopText'), action: t('instanceDetail.stop'), danger: true })
  return sure && tried(() => canal.setInstanceStatus(i.id, 'stop'), t('instanceDetail.stopped'), t('instanceDetail.stopRefused'))
}

export async function remove(i: InstanceSummary): Promise<boolean> {
  const sure = await confirm({ title: t('instanceDetail.delete'), target: i.name, text: t('instanceDetail.deleteText'), action: t('common.delete'), danger: true })
  return sure && tried(() => canal.deleteCanalInstance(i.id), t('instanceDetail.deleted'))
}

/** dismiss takes a table off the list of those in quarantine; no rows are delivered by it. */
export async function dismiss(i: InstanceSummary, q: QuarantineReport): Promise<boolean> {
  const sure = await confirm({ title: t('quarantine.dismissTitle'), target: `${q.schema}.${q.table}`, text: t('quarantine.dismissText'), action: t('quarantine.dismiss') })
  return sure && tried(() => towpath.dismiss(i.id, q.schema, q.table), t('quarantine.dismissed'))
}

/** release lets another server of the cluster take the instance. */
export async function release(clusterId: number, name: string): Promise<boolean> {
  const sure = await confirm({ title: t('instanceDetail.release'), target: name, text: t('instanceDetail.releaseText'), action: t('instanceDetail.release') })
  return sure && ordered(() => towpath.clusterOrder(clusterId, 'release', { instance: name }))
}

/** ordered carries out an order to a cluster and shows its answer. */
export async function ordered(f: () => Promise<{ text: string }>): Promise<boolean> {
  try {
    const result = await f()
    toast(result.text)
    return true
  } catch (e) {
    toastError(e)
    return false
  }
}
