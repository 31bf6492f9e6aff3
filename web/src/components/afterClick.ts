let pressed = false
addEventListener('pointerdown', () => (pressed = true), true)
for (const end of ['pointerup', 'pointercancel'] as const) addEventListener(end, () => (pressed = false), true)

/**
 * afterClick does something at once, or, while a button of the mouse or a finger is
 * down, when that click is over. What moves the page between the two halves of a
 * click would have it miss what was meant.
 */
export function afterClick(f: () => void): void {
  if (!pressed) return f()
  const over = new AbortController()
  for (const end of ['pointerup', 'pointercancel'] as const) {
    addEventListener(end, () => {
      over.abort()
      setTimeout(f) // the click itself comes right behind
    }, { signal: over.signal })
  }
}
