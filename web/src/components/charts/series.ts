// Points of time that come piece by piece from a stream.

export interface Moment {
  atMs: number
}

/** An hour of points, one each two seconds. */
export const MAX_POINTS = 1_800

/**
 * extend adds the points before and behind those there are, and lets the oldest go.
 * What was asked for may come after what came by itself meanwhile.
 */
export function extend<T extends Moment>(there: readonly T[], more: readonly T[] | null | undefined, max = MAX_POINTS): T[] {
  const oldest = there[0]?.atMs ?? Infinity
  const newest = there.at(-1)?.atMs ?? -Infinity
  const all = more ?? []
  return [...all.filter((p) => p.atMs < oldest), ...there, ...all.filter((p) => p.atMs > newest && p.atMs >= oldest)].slice(-max)
}

/** byteStep is a distance of marks on a scale of bytes: about three up to the largest value, at round numbers of KiB, MiB and so on. */
export function byteStep(largest: number): number {
  let unit = 1
  while (largest / 3 >= unit * 1024) unit *= 1024
  const wanted = largest / 3 / unit
  return unit * ([1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 64, 100, 128, 200, 256, 512].find((n) => n >= wanted) ?? 1024)
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
