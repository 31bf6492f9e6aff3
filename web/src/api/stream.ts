import { language } from '@/state/preferences'
import { BASE, queryString } from './client'

// Server-sent events of GET /towpath/stream. The browser reconnects by itself
// after a lost connection, but not after an answer that is no stream (a proxy's
// error page, an ended session); so every end is dealt with here alike.

/** The waiting times between attempts, the last again and again. */
export const RETRY_MS: readonly number[] = [1_000, 2_000, 5_000, 10_000, 30_000]

/** After so many attempts in vain the caller is told to poll meanwhile. */
export const TROUBLE_AFTER = 2

export interface StreamHandlers {
  /** data is the JSON value of one event. */
  event(topic: string, data: unknown): void
  /** live: events come. Without, the caller asks for itself what it wants to know. */
  state(live: boolean): void
}

/** openStream watches topics, told in the language of the pages, until the function that it gives is called. */
export function openStream(topics: readonly string[], handlers: StreamHandlers): () => void {
  let source: EventSource | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let closed = false

  function connect(): void {
    source = new EventSource(BASE + '/towpath/stream' + queryString({ topics: topics.join(','), lang: language.value }))
    source.onopen = () => {
      failures = 0
      handlers.state(true)
    }
    source.onerror = retry
    for (const topic of topics) {
      source.addEventListener(topic, (e) => deliver(topic, (e as MessageEvent<string>).data))
    }
  }

  function deliver(topic: string, text: string): void {
    let data: unknown
    try {
      data = JSON.parse(text)
    } catch {
      return // half an event: the next one comes soon
    }
    handlers.event(topic, data)
  }

  function retry(): void {
    source?.close()
    if (closed) return
    failures++
    if (failures >= TROUBLE_AFTER) handlers.state(false)
    const wait = RETRY_MS[Math.min(failures, RETRY_MS.length) - 1]
    clearTimeout(timer)
    timer = setTimeout(connect, wait)
  }

  connect()
  return () => {
    closed = true
    clearTimeout(timer)
    source?.close()
  }
}
