// Which rows of a long list are drawn. Heights are guessed until a row has been
// drawn and measured; all heights and places are pixels.

/** Rows holds the heights of the rows of a list. */
export class Rows {
  private heights: number[] = []
  private tops: number[] = [0]
  private known = 0 // tops[0..known] are right

  /** reset takes the heights of a new list. */
  reset(heights: number[]): void {
    this.heights = heights
    this.known = 0
  }

  /** measure corrects the height of one row and says by how much. */
  measure(index: number, height: number): number {
    const was = this.heights[index]
    if (was === undefined || was === height) return 0
    this.heights[index] = height
    this.known = Math.min(this.known, index)
    return height - was
  }

  get count(): number {
    return this.heights.length
  }

  /** top is where a row begins; that of the count is where the list ends. */
  top(index: number): number {
    while (this.known < index) {
      this.tops[this.known + 1] = (this.tops[this.known] ?? 0) + (this.heights[this.known] ?? 0)
      this.known++
    }
    return this.tops[index] ?? 0
  }

  get total(): number {
    return this.top(this.heights.length)
  }

  /** at is the row at a place, the nearest when there is none. */
  at(place: number): number {
    let low = 0
    let high = Math.max(0, this.heights.length - 1)
    this.top(this.heights.length)
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.top(middle) <= place) low = middle
      else high = middle - 1
    }
    return low
  }

  /** range are the rows seen between two places and some more on both sides; end is behind the last. */
  range(from: number, to: number, more = 10): { begin: number; end: number } {
    if (this.heights.length === 0) return { begin: 0, end: 0 }
    return { begin: Math.max(0, this.at(from) - more), end: Math.min(this.heights.length, this.at(to) + 1 + more) }
  }
}

/** cells is how many columns of a monospaced font a text takes: wide characters take two. */
export function cells(text: string): number {
  let n = 0
  for (const c of text) {
    const code = c.codePointAt(0) ?? 0
    if (c === '\t') n += 8 - (n % 8)
    else n += code >= 0x1100 && isWide(code) ? 2 : 1
  }
  return n
}

function isWide(code: number): boolean {
  return (
    code <= 0x115f ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    code >= 0x1f300
  )
}
