import { describe, expect, it } from 'vitest'
import { createI18n } from 'vue-i18n'
import type { Messages } from './index'
import en from './locales/en'
import zh from './locales/zh'

/** flatten gives every text by its whole key. */
function flatten(value: unknown, key = '', into = new Map<string, unknown>()): Map<string, unknown> {
  if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) flatten(inner, key === '' ? name : `${key}.${name}`, into)
  } else {
    into.set(key, value)
  }
  return into
}

/** placeholders are the names in braces, sorted. */
function placeholders(text: unknown): string[] {
  return [...new Set([...String(text).matchAll(/\{(\w+)\}/g)].map((m) => m[1] ?? ''))].sort()
}

const languages: Record<string, Messages> = { en, zh }
const keys = flatten(en)

describe('texts', () => {
  it('exist', () => expect(keys.size).toBeGreaterThan(90))

  it('have the same keys in both languages', () => {
    expect([...flatten(zh).keys()].sort()).toEqual([...keys.keys()].sort())
  })

  for (const [name, messages] of Object.entries(languages)) {
    it(`of ${name} are not empty`, () => {
      const empty = [...flatten(messages)].filter(([, text]) => typeof text !== 'string' || text.trim() === '')
      expect(empty).toEqual([])
    })

    it(`of ${name} can be compiled`, () => {
      const { t } = createI18n({ legacy: false, locale: name, messages: { [name]: messages } }).global
      const broken: string[] = []
      for (const [key, text] of flatten(messages)) {
        const named = Object.fromEntries(placeholders(text).map((p) => [p, `<${p}>`]))
        try {
          const out = t(key, named)
          if (out === key || placeholders(text).some((p) => p !== 'n' && !out.includes(`<${p}>`) && !String(text).includes('|'))) broken.push(key)
        } catch {
          broken.push(key)
        }
      }
      expect(broken).toEqual([])
    })
  }

  it('take the same values in both languages', () => {
    const others = flatten(zh)
    const different = [...keys].filter(([key, text]) => placeholders(text).join() !== placeholders(others.get(key)).join())
    expect(different.map(([key]) => key)).toEqual([])
  })
})
