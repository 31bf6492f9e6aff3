import type { Failure } from './types'

/** Where all calls begin. The admin ignores the second segment; Canal uses v1. */
export const BASE = '/api/v1'

const OK = 20000
const TIMEOUT_MS = 60_000

/** The codes of an envelope that programs branch on. */
export const Code = {
  emptyLogin: 40001,
  roleTooLow: 40300,
  failed: 50000,
  sessionEnded: 50014,
  mustChangePassword: 50015,
} as const

/** Codes after which one must log in again; the first two are older Canal's. */
const ENDED: readonly number[] = [50008, 50012, Code.sessionEnded]

/**
 * ApiError is a call that failed: an envelope with another code than 20000, or,
 * with code 0, no envelope at all.
 */
export class ApiError extends Error {
  readonly code: number
  /** For programs: "forbidden", "not_found", "conflict", …; "offline", "timeout", "http" without an envelope. */
  readonly reason: string
  readonly remedy: string
  /** What is wrong with which field of the request. */
  readonly fields: Record<string, string>

  constructor(message: string, code: number, failure?: Partial<Failure>) {
    super(message)
    this.name = 'ApiError'
    this.code = code
    this.reason = failure?.reason ?? ''
    this.remedy = failure?.remedy ?? ''
    this.fields = failure?.fields ?? {}
  }

  /** Whether the admin was not reached, so that trying again may help. */
  get unreachable(): boolean {
    return this.code === 0
  }
}

/** Hooks are what the pages do when any call says that the session is not in order. */
export interface Hooks {
  ended(): void
  mustChangePassword(): void
  /** For Accept-Language of the calls. */
  language(): string
}

let hooks: Hooks = { ended() {}, mustChangePassword() {}, language: () => 'en' }

/** setHooks sets the hooks of all calls. */
export function setHooks(h: Hooks): void {
  hooks = h
}

export interface CallOptions {
  query?: Record<string, string | number | boolean | null | undefined>
  body?: unknown
  signal?: AbortSignal
  /** Leave the hooks alone: the caller deals with an ended session itself. */
  quiet?: boolean
  timeoutMs?: number
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** queryString leaves out what is empty; begins with "?" unless nothing is left. */
export function queryString(query: CallOptions['query']): string {
  const pairs = new URLSearchParams()
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== '') pairs.set(key, String(value))
  }
  const text = pairs.toString()
  return text === '' ? '' : `?${text}`
}

/** call makes one call and gives the data of its envelope, or throws an ApiError. */
export async function call<T>(method: Method, path: string, options: CallOptions = {}): Promise<T> {
  const response = await send(method, path, options)
  const envelope = await readEnvelope(response)
  if (envelope.code === OK) return envelope.data as T
  const error = new ApiError(envelope.message ?? '', envelope.code, envelope.error)
  if (!options.quiet) {
    if (ENDED.includes(error.code)) hooks.ended()
    if (error.code === Code.mustChangePassword) hooks.mustChangePassword()
  }
  throw error
}

async function send(method: Method, path: string, options: CallOptions): Promise<Response> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS)
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout
  const headers: Record<string, string> = {
    Accept: 'application/json',
    'Accept-Language': hooks.language(),
    'X-Requested-With': 'towpath',
  }
  if (options.body !== undefined) headers['Content-Type'] = 'application/json'
  try {
    return await fetch(BASE + path + queryString(options.query), {
      method,
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      credentials: 'same-origin',
      cache: 'no-store',
      signal,
    })
  } catch (e) {
    if (options.signal?.aborted) throw e
    throw new ApiError('', 0, { reason: timeout.aborted ? 'timeout' : 'offline' })
  }
}

interface Envelope {
  code: number
  message: string | null
  data: unknown
  error?: Failure
}

async function readEnvelope(response: Response): Promise<Envelope> {
  let body: unknown
  try {
    body = await response.json()
  } catch {
    throw new ApiError(`HTTP ${response.status}`, 0, { reason: 'http' })
  }
  if (!isEnvelope(body)) throw new ApiError(`HTTP ${response.status}`, 0, { reason: 'http' })
  return body
}

function isEnvelope(body: unknown): body is Envelope {
  return typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'number'
}

/** isAborted says whether a call ended because its caller gave it up. */
export function isAborted(e: unknown): boolean {
  return e instanceof DOMException && e.name === 'AbortError'
}
