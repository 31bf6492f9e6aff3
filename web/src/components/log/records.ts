import type { LogLine } from '@/api/types'

// The records of a log that are held in the page: a bounded piece of the file,
// grown at either end, and what of it is shown.

/** How many records are held; beyond that the far end is let go. */
export const MAX_RECORDS = 20_000

/** LogRecord is one record with the lines that belong to it. */
export interface LogRecord {
  /** Grows along the file and never changes. */
  id: number
  level: string
  head: string
  /** The lines below the first one. */
  rest: string[]
}

export const levels = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const
export type Level = (typeof levels)[number]

/** levelRank orders the levels; what has none goes with INFO. */
export function levelRank(level: string): number {
  const rank = levels.indexOf(level.toUpperCase() as Level)
  return rank < 0 ? 1 : rank
}

/** beginsRecord says whether a line looks like the first of a record: a time, or a level in front. */
export function beginsRecord(line: string): boolean {
  return /^(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|time=|\{"|\[?(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\b)/.test(line)
}

/** levelOf finds the level in the head of a line. */
export function levelOf(line: string): string {
  const found = /\b(TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|FATAL|SEVERE)\b/.exec(line.slice(0, 200))?.[1]
  if (!found) return ''
  if (found === 'WARNING') return 'WARN'
  if (found === 'FATAL' || found === 'SEVERE') return 'ERROR'
  return found === 'TRACE' ? 'DEBUG' : found
}

/** cutEnd takes away the line end of a text. */
function cutEnd(text: string): string {
  return text.replace(/\r?\n$/, '')
}

/**
 * foldRecords makes records of lines. A server that does not group them sends
 * the lines of a stack trace one by one, without a level: such a line belongs to
 * the record before it. nextId gives the ids.
 */
export function foldRecords(lines: readonly LogLine[], nextId: () => number): LogRecord[] {
  const records: LogRecord[] = []
  for (const line of lines) {
    const [head = '', ...rest] = cutEnd(line.text).split(/\r?\n/)
    const last = records.at(-1)
    if (last && !line.level && !beginsRecord(head)) {
      last.rest.push(head, ...rest)
    } else {
      records.push({ id: nextId(), level: line.level || levelOf(head), head, rest })
    }
  }
  return records
}

/** isOrphan says whether a record is only the lower lines of one that was in another page. */
function isOrphan(r: LogRecord): boolean {
  return r.level === '' && !beginsRecord(r.head)
}

/** joinRecords puts two neighbouring pieces together; a record cut in two becomes one again. */
export function joinRecords(before: readonly LogRecord[], after: readonly LogRecord[]): LogRecord[] {
  const last = before.at(-1)
  const first = after[0]
  if (!last || !first || !isOrphan(first)) return [...before, ...after]
  const whole = { ...last, rest: [...last.rest, first.head, ...first.rest] }
  return [...before.slice(0, -1), whole, ...after.slice(1)]
}

/** keepNewest bounds records by letting the oldest go; keepOldest the newest. */
export function keepNewest(records: LogRecord[], max = MAX_RECORDS): LogRecord[] {
  return records.length > max ? records.slice(-max) : records
}

export function keepOldest(records: LogRecord[], max = MAX_RECORDS): LogRecord[] {
  return records.length > max ? records.slice(0, max) : records
}

/** textOf is a record as it stands in the file. */
export function textOf(r: LogRecord): string {
  return [r.head, ...r.rest].join('\n')
}

/** matches says whether a record has at least the level and contains the search, in any case. */
export function matches(r: LogRecord, search: string, level: string): boolean {
  if (level !== '' && levelRank(r.level) < levelRank(level)) return false
  if (search === '') return true
  const wanted = search.toLowerCase()
  return r.head.toLowerCase().includes(wanted) || r.rest.some((l) => l.toLowerCase().includes(wanted))
}

/** Piece is a part of a line; found ones are highlighted. */
export interface Piece {
  text: string
  found: boolean
}

/** pieces cuts a line where it contains the search. */
export function pieces(line: string, search: string): Piece[] {
  if (search === '') return [{ text: line, found: false }]
  const out: Piece[] = []
  const lower = line.toLowerCase()
  const wanted = search.toLowerCase()
  let from = 0
  // Lower case may be longer than the text ("İ"), then places do not fit any more.
  if (lower.length !== line.length) return [{ text: line, found: false }]
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    if (at > from) out.push({ text: line.slice(from, at), found: false })
    out.push({ text: line.slice(at, at + wanted.length), found: true })
    from = at + wanted.length
  }
  if (from < line.length || out.length === 0) out.push({ text: line.slice(from), found: false })
  return out
}
