import type { LogPage } from '@/api/types'

export interface TailHandlers {
  /** read asks for the page behind an offset. */
  read(offset: number): Promise<LogPage>
  /** add is given what is new, in the order of the file. */
  add(page: LogPage): void
  /** replaced: another file has taken the place of the one that was read. */
  replaced(): void
}

/**
 * Tail follows a file whose lines come by themselves from some moment on. It asks
 * for those that were written before that moment, and for whatever else is missing,
 * so that each line is given once.
 */
export class Tail {
  private asking: Promise<void> | undefined
  private wanted = false

  /** next is the offset behind what there is. */
  constructor(
    private next: number,
    private readonly handlers: TailHandlers,
  ) {}

  /** take is told of a page that came by itself, which may be an old one. */
  take(page: LogPage): void {
    if (page.first === this.next && !this.asking) this.give(page)
    else if (page.next > this.next || page.size < this.next) this.catchUp().catch(() => undefined) // the next page tries again
  }

  /** catchUp asks for what is behind what there is, to the end. */
  catchUp(): Promise<void> {
    this.wanted = true
    this.asking ??= this.ask().finally(() => (this.asking = undefined))
    return this.asking
  }

  private async ask(): Promise<void> {
    while (this.wanted) {
      this.wanted = false
      const page = await this.handlers.read(this.next)
      // Behind the end of a file that is shorter now its begin is given.
      if (page.first < this.next && page.size < this.next) this.handlers.replaced()
      this.give(page)
      if (page.more) this.wanted = true
    }
  }

  private give(page: LogPage): void {
    this.next = page.next
    this.handlers.add(page)
  }
}
