import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { language } from '@/state/preferences'
import { openStream, RETRY_MS, TROUBLE_AFTER } from './stream'

class FakeSource extends EventTarget {
  static all: FakeSource[] = []
  onopen: (() => void) | null = null
  onerror: (() => void) | null = null
  closed = false
  constructor(readonly url: string) {
    super()
    FakeSource.all.push(this)
  }
  close() {
    this.closed = true
  }
  send(topic: string, data: string) {
    this.dispatchEvent(new MessageEvent(topic, { data }))
  }
}

const last = () => FakeSource.all[FakeSource.all.length - 1]!

beforeEach(() => {
  language.value = 'en'
  FakeSource.all = []
  vi.stubGlobal('EventSource', FakeSource)
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('openStream', () => {
  it('delivers events of its topics', () => {
    const got: unknown[] = []
    const close = openStream(['a', 'instance:4'], { event: (topic, data) => got.push([topic, data]), state() {} })
    expect(last().url).toBe('/api/v1/towpath/stream?topics=a%2Cinstance%3A4&lang=en')
    last().send('instance:4', '{"n":1}')
    last().send('a', '{"half')
    last().send('other', '1')
    expect(got).toEqual([['instance:4', { n: 1 }]])
    close()
    expect(last().closed).toBe(true)
  })

  it('connects again, later and later, and says when to poll', () => {
    const states: boolean[] = []
    openStream(['a'], { event() {}, state: (s) => states.push(s) })
    last().onopen?.()
    for (let i = 0; i < RETRY_MS.length + 1; i++) {
      const before = FakeSource.all.length
      last().onerror?.()
      expect(last().closed).toBe(true)
      const wait = RETRY_MS[Math.min(i, RETRY_MS.length - 1)]!
      vi.advanceTimersByTime(wait - 1)
      expect(FakeSource.all.length).toBe(before)
      vi.advanceTimersByTime(1)
      expect(FakeSource.all.length).toBe(before + 1)
    }
    expect(states[0]).toBe(true)
    expect(states.slice(1)).toEqual(new Array(RETRY_MS.length + 2 - TROUBLE_AFTER).fill(false))
    last().onopen?.()
    expect(states[states.length - 1]).toBe(true)
  })

  it('stays closed', () => {
    const close = openStream(['a'], { event() {}, state() {} })
    last().onerror?.()
    close()
    vi.advanceTimersByTime(60_000)
    expect(FakeSource.all.length).toBe(1)
  })
})
