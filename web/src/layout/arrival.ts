// Where the focus goes when another page is shown: to its heading, so that it is
// read out, unless the person has gone into the page by then.

/** For a menu that closes on the way to give the focus back to its button. */
const SETTLE_MS = 100

/**
 * arrive runs settled when the page has settled, with whether the focus is free to
 * be moved. shell is what stays around the pages, and main, within it, the page.
 * What it returns calls it off.
 */
export function arrive(shell: Element, main: Element, settled: (free: boolean) => void): () => void {
  const before = document.activeElement
  const timer = setTimeout(() => settled(!wentIn(document.activeElement, before, shell, main)), SETTLE_MS)
  return () => clearTimeout(timer)
}

/**
 * wentIn tells whether the focus has been moved into the page, or into something
 * that lies over it. In the menu and the head it is where the way began, or where a
 * menu has put it back.
 */
function wentIn(now: Element | null, before: Element | null, shell: Element, main: Element): boolean {
  if (now === null || now === document.body || now === before) return false
  return main.contains(now) || !shell.contains(now)
}
