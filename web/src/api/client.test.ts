import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ApiError, call, isAborted, queryString, setHooks } from './client'

const hooks = { ended: vi.fn(), mustChangePassword: vi.fn(), language: () => 'zh-CN' }
const fetched = vi.fn()

function answers(body: unknown, status = 200) {
  fetched.mockResolvedValue(new Response(typeof body === 'string' ? body : JSON.stringify(body), { status }))
}

async function failure(f: Promise<unknown>): Promise<ApiError> {
  const e = await f.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(e).toBeInstanceOf(ApiError)
  return e as ApiError
}

beforeEach(() => {
  setHooks(hooks)
  vi.stubGlobal('fetch', fetched)
})
afterEach(() => {
  vi.clearAllMocks()
  vi.unstubAllGlobals()
})

describe('call', () => {
  it('gives the data of an envelope', async () => {
    answers({ code: 20000, message: null, data: { a: 1 } })
    await expect(call('GET', '/x', { query: { a: 1, b: '', c: undefined, d: false } })).resolves.toEqual({ a: 1 })
    const [url, init] = fetched.mock.calls[0] as [string, RequestInit]
    expect(url).toBe('/api/v1/x?a=1&d=false')
    expect(init.headers).toMatchObject({ 'X-Requested-With': 'towpath', 'Accept-Language': 'zh-CN' })
    expect(init.headers).not.toHaveProperty('Content-Type')
    expect(init.headers).not.toHaveProperty('X-Token')
  })
  it('sends a body as JSON', async () => {
    answers({ code: 20000, message: null, data: null })
    await expect(call('PUT', '/x', { body: { n: null } })).resolves.toBeNull()
    const init = fetched.mock.calls[0]?.[1] as RequestInit
    expect(init.body).toBe('{"n":null}')
    expect(init.headers).toMatchObject({ 'Content-Type': 'application/json' })
  })
  it('throws what is beside a failure', async () => {
    answers({ code: 50000, message: 'no', data: null, error: { reason: 'conflict', remedy: 'load', fields: { name: 'taken' } } })
    const e = await failure(call('GET', '/x'))
    expect(e).toMatchObject({ message: 'no', code: 50000, reason: 'conflict', remedy: 'load', fields: { name: 'taken' }, unreachable: false })
    expect(hooks.ended).not.toHaveBeenCalled()
  })
  it('bears a failure without a message', async () => {
    answers({ code: 50000, message: null, data: null })
    expect(await failure(call('GET', '/x'))).toMatchObject({ message: '', reason: '' })
  })
  for (const code of [50008, 50012, 50014]) {
    it(`tells of the ended session at ${code}`, async () => {
      answers({ code, message: 'Expired token', data: null })
      await failure(call('GET', '/x'))
      expect(hooks.ended).toHaveBeenCalledOnce()
    })
  }
  it('tells of a password that is due', async () => {
    answers({ code: 50015, message: 'm', data: null })
    await failure(call('GET', '/x'))
    expect(hooks.mustChangePassword).toHaveBeenCalledOnce()
  })
  it('tells nobody when asked to be quiet', async () => {
    answers({ code: 50014, message: 'm', data: null })
    await failure(call('GET', '/x', { quiet: true }))
    expect(hooks.ended).not.toHaveBeenCalled()
  })
  const foreign: [string, unknown][] = [
    ['a page', '<html>Bad gateway</html>'],
    ['nothing', ''],
    ['JSON of another kind', { status: 404 }],
    ['a list', []],
    ['null', 'null'],
  ]
  for (const [name, body] of foreign) {
    it(`takes ${name} for no answer of the admin`, async () => {
      answers(body, 502)
      expect(await failure(call('GET', '/x'))).toMatchObject({ code: 0, reason: 'http', message: 'HTTP 502', unreachable: true })
    })
  }
  it('tells when the admin cannot be reached', async () => {
    fetched.mockRejectedValue(new TypeError('Failed to fetch'))
    expect(await failure(call('GET', '/x'))).toMatchObject({ code: 0, reason: 'offline' })
  })
  it('lets its caller give up', async () => {
    const abort = new AbortController()
    abort.abort()
    fetched.mockRejectedValue(new DOMException('gone', 'AbortError'))
    const e = await call('GET', '/x', { signal: abort.signal }).catch((reason: unknown) => reason)
    expect(isAborted(e)).toBe(true)
  })
})

describe('queryString', () => {
  it('is empty without values', () => expect(queryString({ a: '', b: null })).toBe(''))
  it('escapes', () => expect(queryString({ a: 'x&y=z/中' })).toBe('?a=x%26y%3Dz%2F%E4%B8%AD'))
  it('keeps 0 and false', () => expect(queryString({ a: 0, b: false })).toBe('?a=0&b=false'))
})
