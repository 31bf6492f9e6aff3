import { describe, expect, it } from 'vitest'
import { join, pretty } from './zookeeper'

describe('join', () => {
  it('knows the root', () => expect(join('/', 'otter')).toBe('/otter'))
  it('goes down', () => expect(join('/otter', 'canal')).toBe('/otter/canal'))
})

describe('pretty', () => {
  const cases: [string, string][] = [['{"a":1}', '{\n  "a": 1\n}'], ['10.0.0.1:11111', '10.0.0.1:11111'], ['{broken', '{broken'], ['', ''], ['12', '12']]
  for (const [data, want] of cases) it(data, () => expect(pretty(data)).toBe(want))
})
