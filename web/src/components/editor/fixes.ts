import type { ConfigProblem } from '@/api/types'
import { keyAt, setProperty } from './properties'

// What of a suggestion can be carried out: a whole setting, another key, or
// another value. A suggestion that is a sentence cannot.

const SETTING = /^([\w.-]+)\s*=\s*(\S*)$/
const KEY = /^[A-Za-z][\w-]*(\.[\w-]+)+$/

/** core is what a suggestion offers, without "did you mean …?" around it; "" for a sentence. */
export function core(suggestion: string | undefined): string {
  const s = suggestion?.trim() ?? ''
  const meant = /^(?:did you mean|您是否想写|是否想写)\s*[“"「]?([\w.-]+)[”"」]?\s*[?？]$/i.exec(s)?.[1]
  if (meant) return meant
  return SETTING.test(s) || !/[\s，。]/.test(s) ? s : ''
}

/** isFix says whether applyFix can do something. */
export function isFix(p: ConfigProblem): boolean {
  const c = core(p.suggestion)
  return c !== '' && (p.line > 0 || SETTING.test(c))
}

/** fixedLine is the line of a problem as the suggestion wants it. */
export function fixedLine(line: string, p: ConfigProblem): string {
  const c = core(p.suggestion)
  if (c === '') return line
  if (SETTING.test(c)) return c
  const key = p.key || keyAt(line)
  return KEY.test(c) && line.includes(key) && isKeyProblem(p, c) ? line.replace(key, c) : setProperty(line, key, c)
}

/** A key is suggested for a key: both begin alike, as all of Canal's do, or it was asked for. */
function isKeyProblem(p: ConfigProblem, suggested: string): boolean {
  return p.suggestion !== suggested || suggested.split('.')[0] === (p.key ?? '').split('.')[0]
}

/** fixedText is the text with what a problem of the whole text suggests. */
export function fixedText(text: string, p: ConfigProblem): string {
  const [, key = '', value = ''] = SETTING.exec(core(p.suggestion)) ?? []
  return key === '' ? text : setProperty(text, key, value)
}
