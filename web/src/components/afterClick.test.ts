import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { afterClick } from './afterClick'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

it('does it at once when nothing is pressed', () => {
  const f = vi.fn()
  afterClick(f)
  expect(f).toHaveBeenCalledOnce()
})

for (const end of ['pointerup', 'pointercancel']) {
  it(`waits for the ${end}, and for the click behind it`, () => {
    const f = vi.fn()
    dispatchEvent(new Event('pointerdown'))
    afterClick(f)
    vi.advanceTimersByTime(10_000)
    expect(f).not.toHaveBeenCalled()
    dispatchEvent(new Event(end))
    expect(f).not.toHaveBeenCalled()
    vi.runAllTimers()
    dispatchEvent(new Event('pointerup'))
    vi.runAllTimers()
    expect(f).toHaveBeenCalledOnce()
  })
}
