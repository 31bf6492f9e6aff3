import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { arrive } from './arrival'

const focus = (id: string) => document.getElementById(id)!.focus()

/** heading goes to a page as Shell does, does something meanwhile, and tells whether the heading would get the focus. */
function heading(from: string, meanwhile: () => void): boolean | undefined {
  if (from) focus(from)
  let free: boolean | undefined
  arrive(document.getElementById('shell')!, document.getElementById('main')!, (f) => (free = f))
  vi.advanceTimersByTime(50)
  meanwhile()
  expect(free).toBeUndefined()
  vi.advanceTimersByTime(60)
  return free
}

describe('arrive', () => {
  beforeEach(() => {
    vi.useFakeTimers()
    document.body.innerHTML = `
      <div id="shell"><button id="toggle"></button><a id="entry" href="#"></a>
        <main id="main" tabindex="-1"><h1 id="page-title" tabindex="-1"></h1><input id="field" /></main>
      </div>
      <div><input id="dialog" /></div>`
  })
  afterEach(() => vi.useRealTimers())

  const nothing = () => undefined
  const cases: [string, string, () => void, boolean][] = [
    ['when nothing has the focus', '', nothing, true],
    ['when the link of the way has it', 'entry', nothing, true],
    ['when a closing menu gives it back', 'entry', () => focus('toggle'), true],
    ['when what had it is gone', 'field', () => document.getElementById('field')!.remove(), true],
    ['not from a field that was gone into', 'entry', () => focus('field'), false],
    ['not from a field that was gone into from nowhere', '', () => focus('field'), false],
    ['not from a dialog over the page', 'entry', () => focus('dialog'), false],
    ['not after the link over the menu', 'entry', () => focus('main'), false],
  ]
  for (const [name, from, meanwhile, free] of cases) it(name, () => expect(heading(from, meanwhile)).toBe(free))

  it('not when called off', () => {
    const settled = vi.fn()
    arrive(document.getElementById('shell')!, document.getElementById('main')!, settled)()
    vi.advanceTimersByTime(1000)
    expect(settled).not.toHaveBeenCalled()
  })
})
