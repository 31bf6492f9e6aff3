import { describe, expect, it } from 'vitest'
import { byteStep, extend, withGaps } from './series'

const points = (...at: number[]) => at.map((atMs) => ({ atMs, v: atMs / 10 }))

describe('extend', () => {
  it('adds what is newer', () => expect(extend(points(1, 2), points(2, 3)).map((p) => p.atMs)).toEqual([1, 2, 3]))
  it('adds nothing of nothing', () => expect(extend(points(1), null)).toHaveLength(1))
  it('adds what is older, when it comes later', () => expect(extend(points(5, 6), points(2, 4, 5, 6, 7)).map((p) => p.atMs)).toEqual([2, 4, 5, 6, 7]))
  it('begins with what there is', () => expect(extend([], points(1, 2)).map((p) => p.atMs)).toEqual([1, 2]))
  it('lets the oldest go', () => expect(extend(points(1, 2, 3), points(4), 2).map((p) => p.atMs)).toEqual([3, 4]))
})

describe('byteStep', () => {
  const cases: [number, number][] = [[0, 1], [1, 1], [10, 4], [3000, 1024], [60 * 1024, 20 * 1024], [57 * 1024 ** 2, 20 * 1024 ** 2], [3072, 1024], [3 * 900 * 1024, 1024 ** 2]]
  for (const [largest, step] of cases) it(`of ${largest}`, () => expect(byteStep(largest)).toBe(step))
})

describe('withGaps', () => {
  const v = (p: { v: number }) => p.v
  it('draws a line', () => expect(withGaps(points(10, 20), v)).toEqual([[10, 1], [20, 2]]))
  it('draws no line through a hole', () => {
    expect(withGaps(points(10, 20, 30, 100, 110), v)).toEqual([[10, 1], [20, 2], [30, 3], [40, null], [100, 10], [110, 11]])
  })
  it('leaves out what is unknown', () => expect(withGaps([{ atMs: 1, v: -1 }], v)).toEqual([[1, null]]))
  it('is empty for nothing', () => expect(withGaps([], v)).toEqual([]))
})
