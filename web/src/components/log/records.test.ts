import { describe, expect, it } from 'vitest'
import type { LogLine } from '@/api/types'
import { foldRecords, joinRecords, keepNewest, keepOldest, levelOf, matches, pieces, textOf, type LogRecord } from './records'

function counter(from = 0): () => number {
  let n = from
  return () => n++
}

const line = (text: string, level?: string): LogLine => ({ offset: 0, text, level })
const fold = (...lines: LogLine[]) => foldRecords(lines, counter())
const record = (change: Partial<LogRecord>): LogRecord => ({ id: 0, level: 'INFO', head: 'h', rest: [], ...change })

describe('foldRecords', () => {
  it('takes grouped records as they are', () => {
    expect(fold(line('2026-01-02 03:04:05.678 ERROR x\n\tat a\n\tat b\n', 'ERROR'))).toEqual([{ id: 0, level: 'ERROR', head: '2026-01-02 03:04:05.678 ERROR x', rest: ['\tat a', '\tat b'] }])
  })
  it('groups single lines of Java', () => {
    const records = fold(
      line('2026-01-02 03:04:05.678 [main] ERROR c.a.o - boom'),
      line('java.io.IOException: broken'),
      line('\tat com.example.A.b(A.java:1)'),
      line(''),
      line('2026-01-02 03:04:06.000 [main] INFO c.a.o - on'),
    )
    expect(records.map((r) => [r.level, r.rest.length])).toEqual([['ERROR', 3], ['INFO', 0]])
  })
  it('keeps a level-less line that begins a record', () => expect(fold(line('2026-01-02 03:04:05 a'), line('2026-01-02 03:04:06 b'))).toHaveLength(2))
  it('gives each its id', () => expect(fold(line('INFO a'), line('INFO b')).map((r) => r.id)).toEqual([0, 1]))
  it('begins with the lower lines of a record that was cut', () => expect(fold(line('\tat x'), line('\tat y'))).toMatchObject([{ head: '\tat x', rest: ['\tat y'] }]))
})

describe('joinRecords', () => {
  it('makes a cut record whole', () => {
    const joined = joinRecords([record({ head: 'a' })], [record({ level: '', head: '\tat x', rest: ['\tat y'] }), record({ head: 'b' })])
    expect(joined.map(textOf)).toEqual(['a\n\tat x\n\tat y', 'b'])
  })
  it('leaves whole records', () => expect(joinRecords([record({})], [record({ head: 'INFO b' })])).toHaveLength(2))
  it('takes an orphan at the very beginning', () => expect(joinRecords([], [record({ level: '', head: 'x' })])).toHaveLength(1))
})

describe('bounds', () => {
  const some = [1, 2, 3, 4].map((id) => record({ id }))
  it('keep the newest', () => expect(keepNewest(some, 2).map((r) => r.id)).toEqual([3, 4]))
  it('keep the oldest', () => expect(keepOldest(some, 2).map((r) => r.id)).toEqual([1, 2]))
})

describe('levelOf', () => {
  const cases: [string, string][] = [
    ['2026-01-02 03:04:05.678 [main] WARN  x', 'WARN'], ['level=ERROR msg=x', 'ERROR'], ['[WARNING] x', 'WARN'], ['FATAL x', 'ERROR'], ['nothing', ''], ['INFORMATION', ''],
  ]
  for (const [text, want] of cases) it(text, () => expect(levelOf(text)).toBe(want))
})

describe('matches', () => {
  const r = record({ level: 'WARN', head: 'Lost Connection', rest: ['caused by EOF'] })
  const cases: [string, string, boolean][] = [['', '', true], ['lost', '', true], ['eof', '', true], ['x', '', false], ['', 'WARN', true], ['', 'ERROR', false], ['lost', 'INFO', true]]
  for (const [search, level, want] of cases) it(`${search}/${level}`, () => expect(matches(r, search, level)).toBe(want))
})

describe('pieces', () => {
  const cases: [string, string, [string, boolean][]][] = [
    ['abc', '', [['abc', false]]],
    ['aXbxc', 'x', [['a', false], ['X', true], ['b', false], ['x', true], ['c', false]]],
    ['xx', 'x', [['x', true], ['x', true]]],
    ['abc', 'd', [['abc', false]]],
    ['', 'd', [['', false]]],
  ]
  for (const [text, search, want] of cases) it(`${text}/${search}`, () => expect(pieces(text, search).map((p) => [p.text, p.found])).toEqual(want))
})
