import type { BinlogFile, Position, SeekParams } from '@/api/types'

// How places in a binlog lie to each other.

/** fileNumber is the number at the end of a binlog's name, -1 when there is none. */
export function fileNumber(file: string | undefined): number {
  const digits = /\.(\d+)$/.exec(file ?? '')?.[1]
  return digits === undefined ? -1 : Number(digits)
}

function fileBase(file: string): string {
  return file.replace(/\.\d+$/, '')
}

/** comparePositions is negative when a is before b; undefined when that cannot be said. */
export function comparePositions(a: Position, b: Position): number | undefined {
  if (!a.file || !b.file || fileBase(a.file) !== fileBase(b.file)) return undefined
  const files = fileNumber(a.file) - fileNumber(b.file)
  return files === 0 ? (a.offset ?? 0) - (b.offset ?? 0) : files
}

/**
 * bytesBetween are the bytes of binlog from one place to another, negative when
 * to is before from; undefined when a file between them is not in the list.
 */
export function bytesBetween(from: Position, to: Position, files: readonly BinlogFile[]): number | undefined {
  const order = comparePositions(from, to)
  if (order === undefined) return undefined
  if (order > 0) {
    const back = bytesBetween(to, from, files)
    return back === undefined ? undefined : -back
  }
  if (from.file === to.file) return (to.offset ?? 0) - (from.offset ?? 0)
  const first = files.findIndex((f) => f.name === from.file)
  const last = files.findIndex((f) => f.name === to.file)
  if (first < 0 || last < 0) return undefined
  const whole = files.slice(first, last).reduce((sum, f) => sum + f.size, 0)
  return whole - (from.offset ?? 0) + (to.offset ?? 0)
}

/** writePosition is a place as one writes it: file:offset, else the GTID set. */
export function writePosition(p: Position | undefined): string {
  if (!p) return ''
  if (p.file) return `${p.file}:${p.offset ?? 0}`
  return p.gtidSet ?? ''
}

export type SeekKind = 'position' | 'time' | 'gtid' | 'end'

/** SeekForm is what somebody has filled in. */
export interface SeekForm {
  kind: SeekKind
  clientId: number
  file: string
  offset: number
  timestampMs: number
  gtidSet: string
}

/** seekParams is what the form asks for; undefined while something is missing. */
export function seekParams(form: SeekForm): SeekParams | undefined {
  const who = form.clientId > 0 ? { clientId: form.clientId } : {}
  switch (form.kind) {
    case 'end':
      return { ...who, end: true }
    case 'position':
      return form.file === '' ? undefined : { ...who, file: form.file, offset: form.offset || 4 }
    case 'time':
      return form.timestampMs > 0 ? { ...who, timestampMs: form.timestampMs } : undefined
    case 'gtid':
      return form.gtidSet.trim() === '' ? undefined : { ...who, gtidSet: form.gtidSet.replace(/\s/g, '') }
  }
}
