import type { Language } from '@/state/preferences'

// Numbers and times as people read them. None of these throws: what is unknown
// (negative, not a number, or 0 for a time) gives UNKNOWN.

export const UNKNOWN = '–'

function known(n: number): boolean {
  return Number.isFinite(n) && n >= 0
}

/** short is a number with at most three figures before and one behind the point. */
function short(n: number): string {
  if (n >= 100 || Number.isInteger(n)) return String(Math.round(n))
  return n.toFixed(1).replace(/\.0$/, '')
}

function scaled(n: number, step: number, units: readonly string[]): string {
  let unit = 0
  while (Math.round(n) >= step && unit < units.length - 1) {
    n /= step
    unit++
  }
  return `${short(n)}${units[unit]}`
}

/** bytes: 1536 → "1.5 KiB" */
export function bytes(n: number): string {
  return known(n) ? scaled(n, 1024, [' B', ' KiB', ' MiB', ' GiB', ' TiB', ' PiB']) : UNKNOWN
}

/** bytesRate: bytes a second, "1.5 MiB/s" */
export function bytesRate(n: number): string {
  return known(n) ? `${bytes(n)}/s` : UNKNOWN
}

/** count: 12345 → "12.3k" */
export function count(n: number): string {
  return known(n) ? scaled(n, 1000, ['', 'k', 'M', 'G', 'T']) : UNKNOWN
}

/** rate: so many a second, "12.3k/s" */
export function rate(n: number): string {
  return known(n) ? `${count(n)}/s` : UNKNOWN
}

/** whole: 1234567 → "1,234,567" */
export function whole(n: number): string {
  return Number.isFinite(n) ? Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, ',') : UNKNOWN
}

/** percent of a share between 0 and 1 (CPU of several cores may be above). */
export function percent(share: number): string {
  return known(share) ? `${short(share * 100)} %` : UNKNOWN
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** duration: 250 → "250 ms", 95000 → "1 min 35 s", with at most two units. */
export function duration(ms: number): string {
  if (!known(ms)) return UNKNOWN
  if (ms < SECOND) return `${Math.round(ms)} ms`
  if (ms < 10 * SECOND) return `${short(Math.floor(ms / 100) / 10)} s`
  const parts: [number, string][] = [
    [DAY, 'd'],
    [HOUR, 'h'],
    [MINUTE, 'min'],
    [SECOND, 's'],
  ]
  const first = parts.findIndex(([size]) => ms >= size)
  const words: string[] = []
  for (const [size, unit] of parts.slice(first, first + 2)) {
    const n = Math.floor(ms / size)
    ms -= n * size
    if (n > 0) words.push(`${n} ${unit}`)
  }
  return words.join(' ')
}

const moment = new Intl.DateTimeFormat('en-GB', {
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})

/** dateTime is a moment in the browser's zone, "2026-11-23 10:15:04" in both languages. */
export function dateTime(ms: number): string {
  if (!known(ms) || ms === 0) return UNKNOWN
  const parts = Object.fromEntries(moment.formatToParts(ms).map((p) => [p.type, p.value]))
  return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute}:${parts.second}`
}

/** timeOfDay is "10:15:04" in the browser's zone. */
export function timeOfDay(ms: number): string {
  const whole = dateTime(ms)
  return whole === UNKNOWN ? UNKNOWN : whole.slice(11)
}

/** ago: "3 minutes ago", "3分钟前"; what lies ahead by clocks that differ is now. */
export function ago(ms: number, language: Language, now = Date.now()): string {
  if (!known(ms) || ms === 0) return UNKNOWN
  const words = new Intl.RelativeTimeFormat(language === 'zh' ? 'zh-CN' : 'en', { numeric: 'auto' })
  const past = Math.max(0, now - ms)
  if (past < MINUTE) return words.format(-Math.floor(past / SECOND), 'second')
  if (past < HOUR) return words.format(-Math.floor(past / MINUTE), 'minute')
  if (past < DAY) return words.format(-Math.floor(past / HOUR), 'hour')
  return words.format(-Math.floor(past / DAY), 'day')
}

/** canalTime reads a time of Canal's answers, "2026-11-23 18:15:04" in the admin's zone; 0 when there is none. */
export function canalTime(text: string | null | undefined, zoneMinutes: number): number {
  const m = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)/.exec(text ?? '')
  if (!m) return 0
  const [year, month, day, hour, minute, second] = m.slice(1).map(Number) as [number, number, number, number, number, number]
  return Date.UTC(year, month - 1, day, hour, minute, second) - zoneMinutes * MINUTE
}
