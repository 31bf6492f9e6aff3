import { describe, expect, it } from 'vitest'
import type { Me } from '@/api/types'
import { leadTo, safeRedirect } from './guard'

const someone = (change: Partial<Me> = {}): Me => ({
  id: 1,
  username: 'ann',
  name: 'Ann',
  role: 'admin',
  mustChangePassword: false,
  version: '1',
  zoneMinutes: 480,
  ...change,
})

const to = (path: string, meta = {}, query = {}) => ({ path, fullPath: path, meta, query })

describe('safeRedirect', () => {
  const cases: [unknown, string][] = [
    ['/canalServer/canalInstances?name=a', '/canalServer/canalInstances?name=a'],
    ['https://example.org/', '/'],
    ['//example.org/', '/'],
    ['/login?redirect=/login', '/'],
    [undefined, '/'],
    [['/a', '/b'], '/a'],
  ]
  for (const [given, want] of cases) it(`${given} → ${want}`, () => expect(safeRedirect(given)).toBe(want))
})

describe('leadTo', () => {
  it('asks strangers to log in and remembers where they wanted to go', () => {
    expect(leadTo(to('/canalServer/nodeServers'), null)).toEqual({ path: '/login', query: { redirect: '/canalServer/nodeServers' } })
  })
  it('lets strangers see the log-in', () => expect(leadTo(to('/login', { open: true }), null)).toBe(true))
  it('leads the default password to its form and keeps the way', () => {
    const who = someone({ mustChangePassword: true })
    expect(leadTo(to('/canalServer/nodeServers'), who)).toEqual({ path: '/sys/user', query: { redirect: '/canalServer/nodeServers' } })
    expect(leadTo(to('/login', { open: true }, { redirect: '/sys/audit' }), who)).toEqual({ path: '/sys/user', query: { redirect: '/sys/audit' } })
    expect(leadTo(to('/sys/user'), who)).toBe(true)
  })
  it('leads from the log-in to where one wanted to go', () => {
    expect(leadTo(to('/login', { open: true }, { redirect: '/sys/audit' }), someone())).toBe('/sys/audit')
  })
  it('keeps lower roles out', () => {
    expect(leadTo(to('/sys/users', { role: 'admin' }), someone({ role: 'operator' }))).toEqual({ path: '/403', query: { from: '/sys/users' } })
    expect(leadTo(to('/sys/users', { role: 'admin' }), someone())).toBe(true)
    expect(leadTo(to('/x', { role: 'operator' }), someone({ role: 'admin' }))).toBe(true)
  })
})
