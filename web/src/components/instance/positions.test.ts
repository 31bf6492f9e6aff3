import { describe, expect, it } from 'vitest'
import { bytesBetween, comparePositions, fileNumber, seekParams, writePosition, type SeekForm } from './positions'

const at = (file: string, offset: number) => ({ file, offset })
const files = [{ name: 'b.000009', size: 1000 }, { name: 'b.000010', size: 500 }, { name: 'b.000011', size: 200 }]

describe('fileNumber', () => {
  const cases: [string | undefined, number][] = [['mysql-bin.000012', 12], ['b.1000000', 1000000], ['b', -1], [undefined, -1], ['b.x1', -1]]
  for (const [file, want] of cases) it(String(file), () => expect(fileNumber(file)).toBe(want))
})

describe('comparePositions', () => {
  it('compares offsets in a file', () => expect(comparePositions(at('b.000009', 5), at('b.000009', 9))).toBeLessThan(0))
  it('compares files by their number', () => expect(comparePositions(at('b.1000000', 4), at('b.999999', 400))).toBeGreaterThan(0))
  it('finds equals', () => expect(comparePositions(at('b.000009', 5), at('b.000009', 5))).toBe(0))
  it('cannot compare other servers', () => expect(comparePositions(at('a.000001', 4), at('b.000001', 4))).toBeUndefined())
  it('cannot compare without a file', () => expect(comparePositions({ gtidSet: 'x' }, at('b.000001', 4))).toBeUndefined())
})

describe('bytesBetween', () => {
  const cases: [string, ReturnType<typeof at>, ReturnType<typeof at>, number | undefined][] = [
    ['one file', at('b.000009', 100), at('b.000009', 250), 150],
    ['several files', at('b.000009', 900), at('b.000011', 50), 100 + 500 + 50],
    ['backwards', at('b.000010', 10), at('b.000009', 990), -20],
    ['a purged file', at('b.000001', 10), at('b.000009', 990), undefined],
    ['the same place', at('b.000001', 10), at('b.000001', 10), 0],
  ]
  for (const [name, from, to, want] of cases) it(name, () => expect(bytesBetween(from, to, files)).toBe(want))
})

describe('writePosition', () => {
  it('prefers the file', () => expect(writePosition({ file: 'b.1', offset: 4, gtidSet: 'g' })).toBe('b.1:4'))
  it('gives the GTID set', () => expect(writePosition({ gtidSet: 'g:1-2' })).toBe('g:1-2'))
  it('is empty for nothing', () => expect(writePosition(undefined)).toBe(''))
})

describe('seekParams', () => {
  const form = (change: Partial<SeekForm>): SeekForm => ({ kind: 'end', clientId: 0, file: '', offset: 0, timestampMs: 0, gtidSet: '', ...change })
  it('goes to the end', () => expect(seekParams(form({}))).toEqual({ end: true }))
  it('names one client', () => expect(seekParams(form({ clientId: 1001 }))).toEqual({ end: true, clientId: 1001 }))
  it('begins a file behind its magic bytes', () => expect(seekParams(form({ kind: 'position', file: 'b.1' }))).toEqual({ file: 'b.1', offset: 4 }))
  it('takes white space out of GTID sets', () => expect(seekParams(form({ kind: 'gtid', gtidSet: 'a:1,\n b:2 ' }))).toEqual({ gtidSet: 'a:1,b:2' }))
  for (const kind of ['position', 'time', 'gtid'] as const) it(`waits for the ${kind}`, () => expect(seekParams(form({ kind }))).toBeUndefined())
})
