import { describe, expect, it } from 'vitest'
import type { ConfigProblem } from '@/api/types'
import { core, fixedLine, fixedText, isFix } from './fixes'

const problem = (change: Partial<ConfigProblem>): ConfigProblem => ({ line: 3, severity: 'warning', message: 'm', ...change })

describe('core', () => {
  const cases: [string | undefined, string][] = [
    ['did you mean canal.zkServers?', 'canal.zkServers'],
    ['file', 'file'],
    ['canal.port = 11111', 'canal.port = 11111'],
    ['remove line 7', ''],
    ['write key = value, or # before a comment', ''],
    [undefined, ''],
  ]
  for (const [suggestion, want] of cases) it(String(suggestion), () => expect(core(suggestion)).toBe(want))
})

describe('fixedLine', () => {
  it('writes another key', () => expect(fixedLine('canal.zkServer = a:1', problem({ key: 'canal.zkServer', suggestion: 'did you mean canal.zkServers?' }))).toBe('canal.zkServers = a:1'))
  it('writes another value', () => expect(fixedLine('canal.port = x', problem({ key: 'canal.port', suggestion: '11111' }))).toBe('canal.port = 11111'))
  it('writes a whole setting', () => expect(fixedLine('nonsense', problem({ suggestion: 'canal.ip = 1' }))).toBe('canal.ip = 1'))
  it('leaves the line for a sentence', () => expect(fixedLine('a = b', problem({ suggestion: 'remove line 3' }))).toBe('a = b'))
})

describe('fixedText', () => {
  it('adds a setting', () => expect(fixedText('a=1\n', problem({ line: 0, suggestion: 'canal.port = 1' }))).toBe('a=1\ncanal.port=1\n'))
})

describe('isFix', () => {
  it('needs a line for a value', () => expect([isFix(problem({ suggestion: 'x' })), isFix(problem({ line: 0, suggestion: 'x' }))]).toEqual([true, false]))
})
