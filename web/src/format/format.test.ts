import { describe, expect, it } from 'vitest'
import { ago, bytes, bytesRate, canalTime, count, dateTime, duration, percent, rate, timeOfDay, UNKNOWN, whole } from './format'

function table<A>(name: string, f: (a: A) => string, cases: [A, string][]) {
  describe(name, () => {
    for (const [given, want] of cases) it(`${given} → ${want}`, () => expect(f(given)).toBe(want))
  })
}

table('bytes', bytes, [
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1536, '1.5 KiB'],
  [1024 * 1024 - 1, '1 MiB'],
  [350 * 1024 ** 2, '350 MiB'],
  [3 * 1024 ** 6, '3072 PiB'],
  [-1, UNKNOWN],
  [NaN, UNKNOWN],
])
table('bytesRate', bytesRate, [
  [2048, '2 KiB/s'],
  [-1, UNKNOWN],
])
table('count', count, [
  [0, '0'],
  [0.25, '0.3'],
  [999, '999'],
  [999.9, '1k'],
  [12345, '12.3k'],
  [7_000_000, '7M'],
  [Infinity, UNKNOWN],
])
table('rate', rate, [
  [12.34, '12.3/s'],
  [-1, UNKNOWN],
])
table('whole', whole, [
  [0, '0'],
  [1234567, '1,234,567'],
  [-1234, '-1,234'],
  [NaN, UNKNOWN],
])
table('percent', percent, [
  [0, '0 %'],
  [0.125, '12.5 %'],
  [1.5, '150 %'],
])
table('duration', duration, [
  [0, '0 ms'],
  [999, '999 ms'],
  [1000, '1 s'],
  [2550, '2.5 s'],
  [59_999, '59 s'],
  [95_000, '1 min 35 s'],
  [3_600_000, '1 h'],
  [90_061_000, '1 d 1 h'],
  [86_400_000 + 60_000, '1 d'],
  [-1, UNKNOWN],
])

describe('times', () => {
  it('are unknown when 0', () => {
    expect(dateTime(0)).toBe(UNKNOWN)
    expect(timeOfDay(0)).toBe(UNKNOWN)
    expect(ago(0, 'en')).toBe(UNKNOWN)
  })
  it('are in the zone of the browser', () => {
    const at = new Date(2026, 10, 23, 0, 5, 9).getTime()
    expect(dateTime(at)).toBe('2026-11-23 00:05:09')
    expect(timeOfDay(at)).toBe('00:05:09')
  })
  it('are told from now', () => {
    const now = 1_000_000_000_000
    expect(ago(now - 5_000, 'en', now)).toBe('5 seconds ago')
    expect(ago(now + 5_000, 'en', now)).toBe('now')
    expect(ago(now - 3 * 60_000, 'zh', now)).toBe('3分钟前')
    expect(ago(now - 25 * 3_600_000, 'en', now)).toBe('yesterday')
  })
  it('of Canal are in the zone of the admin', () => {
    expect(canalTime('2026-11-23 18:15:04', 480)).toBe(Date.UTC(2026, 10, 23, 10, 15, 4))
    expect(canalTime(null, 480)).toBe(0)
    expect(canalTime('yesterday', 480)).toBe(0)
  })
})
