import { onBeforeUnmount, onMounted, ref, toValue, watch, type MaybeRefOrGetter, type Ref } from 'vue'
import { openStream } from '@/api/stream'
import { language } from '@/state/preferences'

/** How often to ask while no events come. */
export const POLL_MS = 5_000

export interface StreamOptions {
  topics: MaybeRefOrGetter<readonly string[]>
  event(topic: string, data: unknown): void
  /** What to do every now and then while no events come: usually load anew. */
  poll?(): Promise<void> | void
}

/**
 * useStream watches topics while the component is shown and the page is visible.
 * live tells whether events come; else poll is called every POLL_MS.
 */
export function useStream(options: StreamOptions): { live: Ref<boolean> } {
  const live = ref(false)
  let close: (() => void) | undefined
  let timer: ReturnType<typeof setInterval> | undefined

  function state(on: boolean): void {
    live.value = on
    clearInterval(timer)
    if (!on && options.poll) timer = setInterval(() => void options.poll?.(), POLL_MS)
  }

  function stop(): void {
    close?.()
    close = undefined
    clearInterval(timer)
    live.value = false
  }

  function start(): void {
    stop()
    const topics = toValue(options.topics)
    if (topics.length > 0 && !document.hidden) close = openStream(topics, { event: options.event, state })
  }

  function visibility(): void {
    if (document.hidden) {
      stop()
      return
    }
    void options.poll?.() // what happened meanwhile
    start()
  }

  onMounted(() => {
    document.addEventListener('visibilitychange', visibility)
    start()
  })
  onBeforeUnmount(() => {
    document.removeEventListener('visibilitychange', visibility)
    stop()
  })
  watch([() => toValue(options.topics).join(), language], start)
  return { live }
}
