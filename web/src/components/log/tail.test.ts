import { describe, expect, it } from 'vitest'
import type { LogPage } from '@/api/types'
import { Tail } from './tail'

// A file of one character a line, of which each page has at most three.
const LINES = 3

function world(text: string, next: number) {
  const file = { text }
  const page = (first: number, end = file.text.length): LogPage => ({
    file: 'f', first, next: end, size: file.text.length, more: end < file.text.length,
    lines: [...file.text.slice(first, end)].map((c, i) => ({ offset: first + i, text: c })),
  })
  const said: string[] = []
  const gates: (() => void)[] = []
  const asked: number[] = []
  const tail = new Tail(next, {
    read: async (offset) => {
      asked.push(offset)
      await new Promise<void>((open) => gates.push(open))
      const first = offset > file.text.length ? 0 : offset
      return page(first, Math.min(file.text.length, first + LINES))
    },
    add: (p) => said.push(...(p.lines ?? []).map((l) => l.text)),
    replaced: () => said.push('|'),
  })
  /** settle lets all questions be answered. */
  const settle = async () => {
    for (let i = 0; i < 20; i++) {
      gates.shift()?.()
      await Promise.resolve()
    }
  }
  return { file, page, said, asked, tail, settle, all: () => said.join('') }
}

describe('Tail', () => {
  it('adds what comes in turn', () => {
    const w = world('abcd', 2)
    w.tail.take(w.page(2))
    w.file.text += 'e'
    w.tail.take(w.page(4))
    expect(w.all()).toBe('cde')
    expect(w.asked).toEqual([])
  })
  it('asks for what was written before the first page that came', async () => {
    const w = world('abcdefgh', 2)
    w.tail.take({ ...w.page(8), lines: null }) // from here on
    await w.settle()
    expect(w.all()).toBe('cdefgh')
    w.file.text += 'i'
    w.tail.take(w.page(8))
    expect(w.all()).toBe('cdefghi')
  })
  it('gives each line once when pages come while it asks', async () => {
    const w = world('abcd', 1)
    w.tail.take(w.page(3))
    w.file.text += 'ef'
    w.tail.take(w.page(1))
    w.tail.take(w.page(4))
    await w.settle()
    expect(w.all()).toBe('bcdef')
  })
  it('leaves out what it knows', async () => {
    const w = world('abcd', 4)
    w.tail.take(w.page(1))
    w.tail.take(w.page(4))
    await w.settle()
    expect([w.all(), w.asked]).toEqual(['', []])
  })
  it('goes on in a file that has taken the place', async () => {
    const w = world('abcdef', 6)
    w.file.text = 'xyz'
    w.tail.take(w.page(0))
    await w.settle()
    expect(w.all()).toBe('|xyz')
  })
  it('is not misled by an old page into starting anew', async () => {
    const w = world('abcdef', 6)
    w.tail.take({ ...w.page(2, 4), size: 4, more: false })
    await w.settle()
    expect(w.all()).toBe('')
  })
  it('asks again after a question without an answer', async () => {
    const said: string[] = []
    let fails = true
    const tail = new Tail(0, {
      read: async () => {
        if (fails) throw new Error('gone')
        return { file: 'f', first: 0, next: 1, size: 1, more: false, lines: [{ offset: 0, text: 'a' }] }
      },
      add: (p) => said.push(...(p.lines ?? []).map((l) => l.text)),
      replaced: () => said.push('|'),
    })
    await expect(tail.catchUp()).rejects.toThrow('gone')
    fails = false
    await tail.catchUp()
    expect(said).toEqual(['a'])
  })
})
