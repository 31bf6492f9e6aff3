import type { IncomingMessage, ServerResponse } from 'node:http'

export type Next = (err?: unknown) => void

export interface Options {
  /** Send the content security policy of the admin, which the dev server cannot live with. */
  policy?: boolean
}

/** The policy of the admin. Its nonce is fixed here, as the index is served as it is. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-__CSP_NONCE__'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

/** middleware answers what is under /api. */
export function middleware(options: Options = {}) {
  return (req: IncomingMessage, res: ServerResponse, next: Next) => {
    if (options.policy) res.setHeader('Content-Security-Policy', POLICY)
    if (!req.url?.startsWith('/api/')) return next()
    res.setHeader('Content-Type', 'application/json')
    res.end(JSON.stringify({ code: 50014, message: 'Expired token', data: null }))
  }
}
