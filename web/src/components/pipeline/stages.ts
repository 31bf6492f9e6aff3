import type { ClientReport, InstanceDetail, InstanceReport } from '@/api/types'

// Where the way of a change from the source to a client is held up. Nothing here
// knows words: what is found is a key of pipeline.json and its values.

export const stageNames = ['source', 'reader', 'decode', 'store', 'clients'] as const
export type StageName = (typeof stageNames)[number]

/** off: it does not run here; idle: it has nothing to do. */
export type Condition = 'off' | 'idle' | 'flowing' | 'slow' | 'stuck'

/** Hold is what holds everything up: its stage, a key of pipeline.hold and what to fill in. */
export interface Hold {
  stage: StageName
  key: HoldKey
  condition: 'slow' | 'stuck'
  values: Record<string, string | number>
  sinceMs: number
  /** What the server itself says about it. */
  reason: string
  remedy: string
}

export type HoldKey =
  | 'sourceRetrying'
  | 'sourceStopped'
  | 'sourceConnecting'
  | 'sourceLocating'
  | 'clientUnacked'
  | 'clientsGone'
  | 'clientsSlow'
  | 'storeFull'
  | 'decodeBusy'
  | 'catchingUp'

export interface Pipeline {
  conditions: Record<StageName, Condition>
  hold: Hold | null
  /** Part of the store's slots that are taken, 0 to 1; full counts as 1. */
  fill: number
}

/** Batches that are out longer than this are the client's fault, not the network's. */
export const SLOW_BATCH_MS = 5_000
/** Lag below this is how it normally is. */
export const LAG_MS = 10_000
/** Part of the time that the source waits for the decoder, from which on the decoder is what limits. */
export const BUSY_SHARE = 0.5

/** pipelineOf judges an instance; before is its previous detail, to see how much waiting was added. */
export function pipelineOf(now: InstanceDetail, before?: InstanceDetail): Pipeline {
  const report = now.report
  const fill = fillOf(report)
  if (!report?.source) return { conditions: allOff(), hold: null, fill }
  const hold = sourceHold(report) ?? storeHold(report, now.atMs) ?? decodeHold(now, before) ?? lagHold(now)
  return { conditions: conditionsOf(now, report, hold), hold, fill }
}

function allOff(): Record<StageName, Condition> {
  return { source: 'off', reader: 'off', decode: 'off', store: 'off', clients: 'off' }
}

function fillOf(report: InstanceReport | undefined): number {
  const store = report?.store
  if (!store) return 0
  if (store.fullSinceMs) return 1
  return store.slots > 0 ? Math.min(1, store.used / store.slots) : 0
}

const phases: Record<string, { key: HoldKey; condition: 'slow' | 'stuck' }> = {
  waiting: { key: 'sourceRetrying', condition: 'stuck' },
  stopped: { key: 'sourceStopped', condition: 'stuck' },
  connecting: { key: 'sourceConnecting', condition: 'slow' },
  locating: { key: 'sourceLocating', condition: 'slow' },
}

function sourceHold(report: InstanceReport): Hold | null {
  const source = report.source
  const phase = source && phases[source.phase]
  if (!source || !phase) return null
  return {
    stage: 'source',
    key: phase.key,
    condition: phase.condition === 'slow' && source.failures > 0 ? 'stuck' : phase.condition,
    values: { address: source.address, failures: source.failures },
    sinceMs: source.sinceMs,
    reason: source.reason ?? report.reason ?? '',
    remedy: source.remedy ?? report.remedy ?? '',
  }
}

function storeHold(report: InstanceReport, nowMs: number): Hold | null {
  const store = report.store
  if (!store?.fullSinceMs) return null
  const clients = report.clients ?? []
  const about = { sinceMs: store.fullSinceMs, reason: store.fullReason ?? '', remedy: '' }
  if (clients.length > 0 && clients.every((c) => !c.connected?.length)) {
    return { stage: 'clients', key: 'clientsGone', condition: 'stuck', values: { count: clients.length }, ...about }
  }
  const held = oldestHolder(clients, nowMs)
  if (held) {
    return { stage: 'clients', key: 'clientUnacked', condition: 'stuck', values: { client: held.id, entries: held.unacked, batches: held.openBatches }, ...about, sinceMs: held.oldestSinceMs ?? about.sinceMs }
  }
  if (clients.length > 0) return { stage: 'clients', key: 'clientsSlow', condition: 'slow', values: { count: clients.length }, ...about }
  return { stage: 'store', key: 'storeFull', condition: 'stuck', values: {}, ...about }
}

/** oldestHolder is the client whose oldest batch is out the longest, if that is too long. */
function oldestHolder(clients: ClientReport[], nowMs: number): ClientReport | undefined {
  return clients
    .filter((c) => c.openBatches > 0 && c.oldestSinceMs !== undefined && nowMs - c.oldestSinceMs > SLOW_BATCH_MS)
    .sort((a, b) => (a.oldestSinceMs ?? 0) - (b.oldestSinceMs ?? 0))[0]
}

/** decodeHold says that the source mostly waits for the decoder, which does not wait for the store. */
function decodeHold(now: InstanceDetail, before: InstanceDetail | undefined): Hold | null {
  const is = now.report?.pipeline
  const was = before?.report?.pipeline
  const elapsed = now.atMs - (before?.atMs ?? now.atMs)
  if (!is || !was || elapsed <= 0) return null
  const waited = (is.publishWaitMs - was.publishWaitMs) / elapsed
  const stored = (is.storeWaitMs - was.storeWaitMs) / elapsed
  if (waited < BUSY_SHARE || stored > waited / 2) return null
  return { stage: 'decode', key: 'decodeBusy', condition: 'slow', values: { percent: Math.min(100, Math.round(waited * 100)) }, sinceMs: 0, reason: '', remedy: '' }
}

function lagHold(now: InstanceDetail): Hold | null {
  if (now.lagMs <= LAG_MS || now.rates.readBytes <= 0) return null
  return { stage: 'reader', key: 'catchingUp', condition: 'slow', values: {}, sinceMs: 0, reason: '', remedy: '' }
}

function conditionsOf(now: InstanceDetail, report: InstanceReport, hold: Hold | null): Record<StageName, Condition> {
  const flows = (rate: number): Condition => (rate > 0 ? 'flowing' : 'idle')
  const conditions: Record<StageName, Condition> = {
    source: report.source?.phase === 'streaming' ? 'flowing' : 'idle',
    reader: flows(now.rates.readBytes),
    decode: flows(now.rates.putRows),
    store: report.store?.fullSinceMs ? 'stuck' : flows(now.rates.putRows + now.rates.ackRows),
    clients: report.clients?.length ? flows(now.rates.ackRows) : 'off',
  }
  if (hold) conditions[hold.stage] = hold.condition
  if (report.store?.fullSinceMs) {
    conditions.reader = 'slow' // it waits for room
    conditions.decode = 'slow'
  }
  return conditions
}
