// Java properties texts, as java.util.Properties reads them: what stands on
// which line, and how one value is changed without touching the rest.

/** Property is one setting of a text. Lines count from 1. */
export interface Property {
  key: string
  value: string
  line: number
  /** The last line, when the value goes on over several. */
  endLine: number
}

/** isComment says whether a line is one. */
function isComment(line: string): boolean {
  return /^\s*[#!]/.test(line)
}

/** continues says whether a value goes on in the next line: an odd number of backslashes ends this one. */
function continues(line: string): boolean {
  const end = /\\+$/.exec(line)
  return end !== null && end[0].length % 2 === 1
}

/** splitLines keeps no line ends. */
export function splitLines(text: string): string[] {
  return text.split(/\r\n|\r|\n/)
}

/** parseProperties gives the settings of a text in its order; a key may come twice, the last counts. */
export function parseProperties(text: string): Property[] {
  const lines = splitLines(text)
  const found: Property[] = []
  for (let i = 0; i < lines.length; i++) {
    const first = lines[i] ?? ''
    if (first.trim() === '' || isComment(first)) continue
    const begin = i
    let logical = first.trimStart()
    while (continues(logical) && i + 1 < lines.length) {
      i++
      logical = logical.slice(0, -1) + (lines[i] ?? '').trimStart()
    }
    const [key, value] = splitPair(logical)
    found.push({ key: unescape(key), value: unescape(value).trimEnd(), line: begin + 1, endLine: i + 1 })
  }
  return found
}

/** splitPair cuts at the first separator that is not escaped. */
function splitPair(line: string): [string, string] {
  for (let i = 0; i < line.length; i++) {
    const c = line[i]
    if (c === '\\') i++
    else if (c === '=' || c === ':' || c === ' ' || c === '\t' || c === '\f') {
      return [line.slice(0, i), line.slice(i).replace(/^[ \t\f]*[=:]?[ \t\f]*/, '')]
    }
  }
  return [line, '']
}

const escapes: Record<string, string> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescape(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|[\s\S]|$)/g, (_all, what: string) =>
    what.length === 5 ? String.fromCharCode(Number.parseInt(what.slice(1), 16)) : (escapes[what] ?? what),
  )
}

/** escapeValue writes a value so that parseProperties gives it again. */
export function escapeValue(value: string): string {
  return value
    .replace(/\\/g, '\\\\')
    .replace(/\n/g, '\\n')
    .replace(/\r/g, '\\r')
    .replace(/\t/g, '\\t')
    .replace(/^ /, '\\ ')
}

/** propertyValues are the values of a text by their key. */
export function propertyValues(text: string): Map<string, string> {
  return new Map(parseProperties(text).map((p) => [p.key, p.value]))
}

/**
 * setProperty gives the text with another value for a key. Everything else
 * stays as it is written. A key that is only there as a comment ("#key = …")
 * is taken out of it; one that is not there at all comes to the end. The value
 * undefined takes the setting away.
 */
export function setProperty(text: string, key: string, value: string | undefined): string {
  const eol = text.includes('\r\n') ? '\r\n' : '\n'
  const lines = splitLines(text)
  const there = parseProperties(text).filter((p) => p.key === key)
  const last = there.at(-1)
  if (last) {
    if (value === undefined) {
      for (const p of there.reverse()) lines.splice(p.line - 1, p.endLine - p.line + 1)
    } else if (last.value !== value) {
      const head = /^\s*[^=:\s]+(?:[ \t]*[=:][ \t]*|[ \t]+|$)/.exec(lines[last.line - 1] ?? '')?.[0] ?? ''
      const spaced = /\s[=:]$/.test(head) ? `${head} ` : head
      const written = /[=:\s]$/.test(spaced) ? spaced : `${key}=`
      lines.splice(last.line - 1, last.endLine - last.line + 1, written + escapeValue(value))
    }
    return lines.join(eol)
  }
  if (value === undefined) return text
  const line = `${key}=${escapeValue(value)}`
  const commented = lines.findIndex((l) => l.replace(/^\s*[#!]\s*/, '') !== l && commentedKey(l) === key)
  if (commented >= 0) lines[commented] = line
  else if (lines.at(-1) === '') lines.splice(-1, 0, line)
  else lines.push(line)
  return lines.join(eol)
}

/** commentedKey is the key of a setting that is commented out, "" when the comment is prose. */
function commentedKey(line: string): string {
  return /^\s*[#!]\s*([\w.-]+)\s*=/.exec(line)?.[1] ?? ''
}

/** keyAt is the key that a line sets or that is being typed in it; "" in a comment or an empty line. */
export function keyAt(line: string): string {
  if (line.trim() === '' || isComment(line)) return ''
  return unescape(splitPair(line.trimStart())[0])
}
