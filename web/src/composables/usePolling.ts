import { onBeforeUnmount, onMounted } from 'vue'

/**
 * usePolling runs f while the component is shown and the page is visible: at
 * once, and again every so often after the previous run has ended. f reports its
 * failures itself.
 */
export function usePolling(f: (signal: AbortSignal) => Promise<void>, everyMs: number) {
  let timer: ReturnType<typeof setTimeout> | undefined
  let abort: AbortController | undefined
  let shown = false

  async function run(): Promise<void> {
    clearTimeout(timer)
    abort?.abort()
    const mine = new AbortController()
    abort = mine
    try {
      await f(mine.signal)
    } finally {
      if (shown && abort === mine && !document.hidden) timer = setTimeout(tick, everyMs)
    }
  }

  function tick(): void {
    void run()
  }

  function visibility(): void {
    if (document.hidden) clearTimeout(timer)
    else tick()
  }

  function stop(): void {
    shown = false
    clearTimeout(timer)
    abort?.abort()
    document.removeEventListener('visibilitychange', visibility)
  }

  onMounted(() => {
    shown = true
    document.addEventListener('visibilitychange', visibility)
    tick()
  })
  onBeforeUnmount(stop)
  return { refresh: run }
}
