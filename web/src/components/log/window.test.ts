import { describe, expect, it } from 'vitest'
import { cells, Rows } from './window'

function rows(...heights: number[]): Rows {
  const r = new Rows()
  r.reset(heights)
  return r
}

describe('Rows', () => {
  it('is empty at first', () => {
    const r = new Rows()
    expect([r.total, r.at(100), r.range(0, 100)]).toEqual([0, 0, { begin: 0, end: 0 }])
  })
  it('knows where rows begin', () => {
    const r = rows(10, 20, 30)
    expect([0, 1, 2, 3].map((i) => r.top(i))).toEqual([0, 10, 30, 60])
    expect(r.total).toBe(60)
  })
  it('finds rows by place', () => {
    const r = rows(10, 20, 30)
    expect([-5, 0, 9, 10, 29, 30, 59, 1000].map((p) => r.at(p))).toEqual([0, 0, 0, 1, 1, 2, 2, 2])
  })
  it('moves what is below a corrected row', () => {
    const r = rows(10, 20, 30)
    expect(r.total).toBe(60)
    expect(r.measure(1, 25)).toBe(5)
    expect(r.measure(1, 25)).toBe(0)
    expect(r.measure(9, 25)).toBe(0)
    expect([r.top(1), r.top(2), r.total]).toEqual([10, 35, 65])
  })
  it('gives the rows around what is seen', () => {
    const r = rows(...Array.from({ length: 10_000 }, () => 20))
    expect(r.range(100_000, 100_400, 5)).toEqual({ begin: 4995, end: 5026 })
    expect(r.range(0, 100, 50).begin).toBe(0)
    expect(r.range(199_990, 250_000, 50).end).toBe(10_000)
  })
  it('forgets the old list', () => {
    const r = rows(10, 20)
    expect(r.total).toBe(30)
    r.reset([1])
    expect([r.count, r.total]).toEqual([1, 1])
  })
})

describe('cells', () => {
  const cases: [string, number][] = [['abc', 3], ['', 0], ['中文', 4], ['a中', 3], ['é', 1], ['😀', 2], ['\ta', 9]]
  for (const [text, want] of cases) it(JSON.stringify(text), () => expect(cells(text)).toBe(want))
})
