import { describe, expect, it } from 'vitest'
import type { ClientReport, InstanceDetail, InstanceReport } from '@/api/types'
import { pipelineOf } from './stages'

const NOW = 1_700_000_000_000

function client(change: Partial<ClientReport> = {}): ClientReport {
  return { id: 1001, filter: '', connected: ['10.0.0.9:5000'], hasCursor: true, cursor: {}, openBatches: 0, unacked: 0, ...change }
}

function detail(change: Partial<InstanceReport> = {}, own: Partial<InstanceDetail> = {}): InstanceDetail {
  return {
    id: 1, name: 'orders', clusterId: 0, clusterName: '', serverId: 1, serverName: 's', wanted: true, state: 'running',
    lagMs: 100, lagBytes: 0, rowsRate: 5, clients: 1, outOfDate: false, quarantined: 0, modifiedMs: 0, atMs: NOW,
    rates: { readBytes: 100, readEvents: 5, putRows: 5, getRows: 5, ackRows: 5, transactions: 1 },
    series: null, servers: null, cursors: null,
    report: {
      destination: 'orders', state: 'running', sinceMs: 1, lagMs: 100, lagBytes: 0,
      source: { phase: 'streaming', sinceMs: 1, address: 'db:3306', failures: 0, switches: 0, bytes: 1, events: 1, read: {}, head: {} },
      pipeline: { transactions: 1, lastEventMs: 1, publishWaitMs: 1000, storeWaitMs: 0, skippedRows: 0 },
      store: { slots: 100, used: 25, usedBytes: 1, putEntries: 1, putRows: 1, putBytes: 1, getEntries: 1, getRows: 1, getBytes: 1, ackEntries: 1, ackRows: 1, ackBytes: 1 },
      clients: [client()],
      ...change,
    },
    ...own,
  }
}

const store = (change: object) => ({ ...detail().report!.store!, ...change })
const source = (change: object) => ({ ...detail().report!.source!, ...change })

describe('pipelineOf', () => {
  it('finds nothing wrong with what flows', () => {
    const p = pipelineOf(detail())
    expect(p.hold).toBeNull()
    expect(p.fill).toBe(0.25)
    expect(p.conditions).toEqual({ source: 'flowing', reader: 'flowing', decode: 'flowing', store: 'flowing', clients: 'flowing' })
  })

  it('calls what has nothing to do idle', () => {
    const rates = { readBytes: 0, readEvents: 0, putRows: 0, getRows: 0, ackRows: 0, transactions: 0 }
    expect(pipelineOf(detail({}, { rates, lagMs: 3_600_000 }))).toMatchObject({ hold: null, conditions: { source: 'flowing', reader: 'idle', store: 'idle', clients: 'idle' } })
  })

  it('is off where the instance does not run', () => {
    expect(pipelineOf(detail({}, { report: undefined })).conditions.store).toBe('off')
    expect(pipelineOf(detail({ source: undefined })).conditions.reader).toBe('off')
  })

  const holds: [string, InstanceDetail, object][] = [
    ['a source that is retried', detail({ source: source({ phase: 'waiting', failures: 3, reason: 'refused', sinceMs: 7 }) }),
      { stage: 'source', key: 'sourceRetrying', condition: 'stuck', values: { address: 'db:3306', failures: 3 }, reason: 'refused', sinceMs: 7 }],
    ['a source that has stopped', detail({ source: source({ phase: 'stopped' }) }), { stage: 'source', key: 'sourceStopped', condition: 'stuck' }],
    ['the first connection', detail({ source: source({ phase: 'connecting' }) }), { key: 'sourceConnecting', condition: 'slow' }],
    ['a connection after failures', detail({ source: source({ phase: 'connecting', failures: 2 }) }), { key: 'sourceConnecting', condition: 'stuck' }],
    ['a client that does not confirm', detail({ store: store({ fullSinceMs: NOW - 60_000 }), clients: [
      client({ id: 1001, openBatches: 1, oldestSinceMs: NOW - 6_000, unacked: 10 }),
      client({ id: 1002, openBatches: 3, oldestSinceMs: NOW - 90_000, unacked: 900 }),
    ] }), { stage: 'clients', key: 'clientUnacked', condition: 'stuck', values: { client: 1002, entries: 900, batches: 3 }, sinceMs: NOW - 90_000 }],
    ['clients that are gone', detail({ store: store({ fullSinceMs: 5 }), clients: [client({ connected: null })] }), { stage: 'clients', key: 'clientsGone' }],
    ['clients that are slower than the source', detail({ store: store({ fullSinceMs: 5 }), clients: [client({ openBatches: 1, oldestSinceMs: NOW - 200 })] }),
      { stage: 'clients', key: 'clientsSlow', condition: 'slow', sinceMs: 5 }],
    ['a full store without any client', detail({ store: store({ fullSinceMs: 5, fullReason: 'budget' }), clients: [] }), { stage: 'store', key: 'storeFull', reason: 'budget' }],
    ['lag while it reads', detail({}, { lagMs: 60_000 }), { stage: 'reader', key: 'catchingUp', condition: 'slow' }],
  ]
  for (const [name, given, want] of holds) {
    it(`finds ${name}`, () => {
      const p = pipelineOf(given)
      expect(p.hold).toMatchObject(want)
      expect(p.conditions[p.hold!.stage]).toBe(p.hold!.condition)
    })
  }

  it('counts a full store as full whatever its slots', () => expect(pipelineOf(detail({ store: store({ fullSinceMs: 5, used: 3 }) })).fill).toBe(1))

  describe('decoder', () => {
    const before = detail({}, { atMs: NOW - 2_000 })
    const waits = (publishWaitMs: number, storeWaitMs: number) => detail({ pipeline: { ...before.report!.pipeline!, publishWaitMs, storeWaitMs } })
    it('is what limits when the source waits for it', () => {
      expect(pipelineOf(waits(2_600, 0), before).hold).toMatchObject({ stage: 'decode', key: 'decodeBusy', values: { percent: 80 } })
    })
    it('is not when it waits for the store itself', () => expect(pipelineOf(waits(2_600, 1_500), before).hold).toBeNull())
    it('is not when the source hardly waits', () => expect(pipelineOf(waits(1_200, 0), before).hold).toBeNull())
    it('cannot be judged without an earlier report', () => expect(pipelineOf(waits(9_000, 0)).hold).toBeNull())
  })
})
