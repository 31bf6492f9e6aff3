// Points of time that come piece by piece from a stream.

export interface Moment {
  atMs: number
}

/** An hour of points, one each two seconds. */
export const MAX_POINTS = 1_800

/** extend adds the points that are newer than those there are, and lets the oldest go. */
export function extend<T extends Moment>(there: readonly T[], more: readonly T[] | null | undefined, max = MAX_POINTS): T[] {
  const newest = there.at(-1)?.atMs ?? 0
  const added = (more ?? []).filter((p) => p.atMs > newest)
  return [...there, ...added].slice(-max)
}

/** A hole of this many usual distances is drawn as one. */
const GAP = 4

/** withGaps are the points of one line; null where nothing was measured for long. Negative values are unknown. */
export function withGaps<T extends Moment>(points: readonly T[], value: (p: T) => number): [number, number | null][] {
  const usual = usualDistance(points)
  const line: [number, number | null][] = []
  points.forEach((p, i) => {
    const before = points[i - 1]
    if (before && usual > 0 && p.atMs - before.atMs > usual * GAP) line.push([before.atMs + usual, null])
    const v = value(p)
    line.push([p.atMs, v < 0 ? null : v])
  })
  return line
}

/** usualDistance is the median of the distances between points. */
function usualDistance(points: readonly Moment[]): number {
  const distances = points.slice(1).map((p, i) => p.atMs - (points[i]?.atMs ?? p.atMs))
  distances.sort((a, b) => a - b)
  return distances[distances.length >> 1] ?? 0
}
