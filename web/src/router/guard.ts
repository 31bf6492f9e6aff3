import type { RouteLocationNormalized, RouteLocationRaw } from 'vue-router'
import type { Me } from '@/api/types'
import { allows } from '@/state/session'

/** Where the password is changed. */
export const ACCOUNT = '/sys/user'

/** safeRedirect is a path of these pages, never an address elsewhere. */
export function safeRedirect(value: unknown): string {
  const path = Array.isArray(value) ? value[0] : value
  if (typeof path !== 'string' || !path.startsWith('/') || path.startsWith('//') || path.startsWith('/login')) return '/'
  return path
}

/** leadTo says where a visitor goes instead of where they want to; true when they may go there. */
export function leadTo(to: Pick<RouteLocationNormalized, 'path' | 'fullPath' | 'meta' | 'query'>, who: Me | null): true | RouteLocationRaw {
  if (who === null) return to.meta.open ? true : { path: '/login', query: redirectQuery(to.fullPath) }
  if (who.mustChangePassword) {
    if (to.path === ACCOUNT) return true
    const wanted = to.meta.open ? safeRedirect(to.query.redirect) : to.fullPath
    return { path: ACCOUNT, query: redirectQuery(wanted) }
  }
  if (to.path === '/login') return safeRedirect(to.query.redirect)
  if (to.meta.role && !allows(who.role, to.meta.role)) return { path: '/403', query: { from: to.fullPath } }
  return true
}

function redirectQuery(fullPath: string): Record<string, string> {
  return fullPath === '/' || fullPath === '/dashboard' ? {} : { redirect: fullPath }
}
