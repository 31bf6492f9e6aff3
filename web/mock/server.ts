import type { IncomingMessage, ServerResponse } from 'node:http'
import { open, openapi, Refusal, table, topic, type Request } from './routes'
import { passwords, users } from './world'

// The admin's API as the pages see it: envelope, session, stream. Log in as
// admin/admin123, olga/operator, vera/viewer, or new/123456, who must change the
// password first.

export type Next = (err?: unknown) => void

export interface Options {
  /** Send the content security policy of the admin, which the dev server cannot live with. */
  policy?: boolean
}

/** The policy of the admin. Its nonce is fixed here, as the index is served as it is. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-__CSP_NONCE__'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

const COOKIE = 'towpath_session'
const STREAM_MS = 2_000

/** middleware answers what is under /api. */
export function middleware(options: Options = {}) {
  return (req: IncomingMessage, res: ServerResponse, next: Next) => {
    if (options.policy) res.setHeader('Content-Security-Policy', POLICY)
    const url = new URL(req.url ?? '/', 'http://mock')
    if (!url.pathname.startsWith('/api/')) return next()
    answer(req, res, url).catch(next)
  }
}

async function answer(req: IncomingMessage, res: ServerResponse, url: URL): Promise<void> {
  if (url.pathname === '/api/openapi.json') {
    res.setHeader('Content-Type', 'application/json')
    res.end(openapi())
    return
  }
  const path = url.pathname.replace(/^\/api\/[^/]+/, '')
  const name = new RegExp(`${COOKIE}=([^;]+)`).exec(req.headers.cookie ?? '')?.[1]
  const user = users.find((u) => u.username === name && !u.disabled)
  const body = await readBody(req)
  if (path === '/towpath/stream') return stream(res, url, user !== undefined)
  try {
    envelope(res, { code: 20000, message: null, data: session(res, path, body) ?? dispatch(req.method ?? 'GET', path, { user, params: [], query: url.searchParams, body }) })
  } catch (e) {
    if (!(e instanceof Refusal)) throw e
    envelope(res, { code: e.code, message: e.message, data: null, error: e.error })
  }
}

async function readBody(req: IncomingMessage): Promise<Record<string, unknown>> {
  let text = ''
  for await (const chunk of req) text += String(chunk)
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
}

function envelope(res: ServerResponse, value: unknown): void {
  res.setHeader('Content-Type', 'application/json')
  res.end(JSON.stringify(value))
}

/** session logs in and out; undefined for other calls. */
function session(res: ServerResponse, path: string, body: Record<string, unknown>): unknown {
  if (path === '/user/logout') {
    res.setHeader('Set-Cookie', `${COOKIE}=; Path=/api; Max-Age=0`)
    return 'success'
  }
  if (path !== '/user/login') return undefined
  const { username, password } = body as { username?: string; password?: string }
  if (!username || !password) throw new Refusal('Invalid username or password', 40001)
  if (passwords.get(username) !== password) throw new Refusal('Wrong user name or password')
  res.setHeader('Set-Cookie', `${COOKIE}=${username}; Path=/api; HttpOnly; SameSite=Strict`)
  return { token: 'mock', ...(password === '123456' ? { needPasswordChange: 'true' } : {}) }
}

function dispatch(method: string, path: string, request: Request): unknown {
  const free = open.some((o) => o.test(path))
  if (!request.user && !free) throw new Refusal('Expired token', 50014)
  if (request.user && passwords.get(request.user.username) === '123456' && !free && path !== '/user') {
    throw new Refusal('Default password must be changed before proceeding', 50015)
  }
  for (const [m, pattern, handler] of table) {
    const match = m === method ? pattern.exec(path) : null
    if (match) return handler({ ...request, params: match.slice(1) }) ?? null
  }
  throw new Refusal(`The mock does not know ${method} ${path}`, 50000, { reason: 'not_found', remedy: 'Add it to mock/routes.ts.' })
}

function stream(res: ServerResponse, url: URL, known: boolean): void {
  if (!known) {
    envelope(res, { code: 50014, message: 'Expired token', data: null })
    return
  }
  const topics = (url.searchParams.get('topics') ?? '').split(',')
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  res.write(': begin\n\n')
  const timer = setInterval(() => {
    for (const name of topics) {
      const value = topic(name)
      if (value !== undefined) res.write(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`)
    }
  }, STREAM_MS)
  res.on('close', () => clearInterval(timer))
}
