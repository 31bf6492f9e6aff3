import { describe, expect, it } from 'vitest'
import { escapeValue, keyAt, parseProperties, propertyValues, setProperty } from './properties'

describe('parseProperties', () => {
  const cases: [string, string, [string, string][]][] = [
    ['equals sign', 'a.b=c', [['a.b', 'c']]],
    ['spaces around', ' a = b c  ', [['a', 'b c']]],
    ['colon and blank', 'a: b\nc d', [['a', 'b'], ['c', 'd']]],
    ['comments and empty lines', '# a=b\n! c=d\n\ne=f', [['e', 'f']]],
    ['regex of Canal', 'r=.*\\\\..*', [['r', '.*\\..*']]],
    ['several lines', 'a=b,\\\n   c,\\\n   d\ne=f', [['a', 'b,c,d'], ['e', 'f']]],
    ['even backslashes do not continue', 'a=b\\\\\nc=d', [['a', 'b\\'], ['c', 'd']]],
    ['unicode', 'a=\\u4e2d', [['a', '中']]],
    ['no value', 'a=\nb', [['a', ''], ['b', '']]],
    ['value with separators', 'url=jdbc:mysql://h:1/d?x=y', [['url', 'jdbc:mysql://h:1/d?x=y']]],
    ['windows lines', 'a=b\r\nc=d\r\n', [['a', 'b'], ['c', 'd']]],
  ]
  for (const [name, text, want] of cases) {
    it(name, () => expect(parseProperties(text).map((p) => [p.key, p.value])).toEqual(want))
  }
  it('tells the lines', () => {
    expect(parseProperties('# x\na=b\\\n c\nd=e').map((p) => [p.line, p.endLine])).toEqual([[2, 3], [4, 4]])
  })
})

describe('setProperty', () => {
  it('changes only the value', () => expect(setProperty('# t\na = 1\nb=2\n', 'a', '3')).toBe('# t\na = 3\nb=2\n'))
  it('puts a blank where one stands on the other side', () => expect(setProperty('a =', 'a', '3')).toBe('a = 3'))
  it('keeps what is equal in another spelling', () => expect(setProperty('a : x\\u0041', 'a', 'xA')).toBe('a : x\\u0041'))
  it('takes a setting out of its comment', () => expect(setProperty('#a.b=x\nc=1', 'a.b', 'y')).toBe('a.b=y\nc=1'))
  it('does not take prose for a setting', () => expect(setProperty('# set a to b\n', 'a', 'y')).toBe('# set a to b\na=y\n'))
  it('adds at the end', () => expect(setProperty('a=1', 'b', '2')).toBe('a=1\nb=2'))
  it('replaces values of several lines', () => expect(setProperty('a=1,\\\n 2\nb=3', 'a', '9')).toBe('a=9\nb=3'))
  it('changes the last of two, which counts', () => expect(propertyValues(setProperty('a=1\na=2', 'a', '3')).get('a')).toBe('3'))
  it('takes away', () => expect(setProperty('a=1\nb=2\na=3\n', 'a', undefined)).toBe('b=2\n'))
  it('keeps the line ends', () => expect(setProperty('a=1\r\nb=2\r\n', 'b', '3')).toBe('a=1\r\nb=3\r\n'))
  it('gives a value to a key without one', () => expect(setProperty('a', 'a', 'b')).toBe('a=b'))
})

describe('escapeValue', () => {
  for (const value of ['.*\\..*', ' leading', 'tab\tand\nline', 'a=b:c#d!e', 'C:\\dir\\', '中文', '']) {
    it(JSON.stringify(value), () => expect(propertyValues(`k=${escapeValue(value)}`).get('k')).toBe(value))
  }
})

describe('keyAt', () => {
  const cases: [string, string][] = [['canal.ip = 1', 'canal.ip'], ['  canal.i', 'canal.i'], ['# canal.ip=', ''], ['', '']]
  for (const [line, want] of cases) it(line, () => expect(keyAt(line)).toBe(want))
})
