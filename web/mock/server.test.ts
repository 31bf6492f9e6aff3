import { describe, expect, it } from 'vitest'
import { Refusal, table } from './routes'
import { instances, users } from './world'

/** run calls the mock as the administrator. */
function run(by: string, path: string, body: Record<string, unknown>): unknown {
  const url = new URL(path, 'http://mock')
  for (const [method, pattern, handler] of table) {
    const match = method === by ? pattern.exec(url.pathname) : null
    if (match) return handler({ user: users[0], params: match.slice(1), query: url.searchParams, body })
  }
  throw new Refusal(`no ${path}`)
}
const get = (path: string) => run('GET', path, {})
const post = (path: string, body: Record<string, unknown>) => run('POST', path, body)

describe('the mock', () => {
  it('has a fleet that fills pages', () => expect(instances.length).toBeGreaterThanOrEqual(1000))
  it('filters and pages instances', () => {
    const page = get('/towpath/instances?clusterId=2&size=30&page=2&sort=-lag') as { count: number; items: { clusterId: number; lagMs: number }[] }
    expect(page.items).toHaveLength(30)
    expect(page.count).toBe(instances.filter((i) => i.clusterId === 2).length)
    expect(page.items.every((i) => i.clusterId === 2)).toBe(true)
  })
  it('has instances with tables in quarantine', () => {
    const page = get('/towpath/instances?state=quarantined') as { count: number; items: { quarantined: number }[] }
    expect(page.count).toBeGreaterThan(0)
    expect(page.items.every((i) => i.quarantined > 0)).toBe(true)
    const one = get('/towpath/instances/7') as { quarantined: number; report: { quarantine: unknown[]; history: object } }
    expect(one.report.quarantine).toHaveLength(one.quarantined)
    expect(one.report.history).toHaveProperty('kind')
  })
  it('lets a table be dismissed once', () => {
    const of = () => get('/towpath/instances/353') as { quarantined: number; report: { quarantine: { schema: string; table: string }[] } }
    const [first] = of().report.quarantine
    const before = of().quarantined
    const send = () => post('/towpath/instances/353/quarantine/dismiss', { ...first })
    expect(send()).toBe('success')
    expect(of().quarantined).toBe(before - 1)
    expect(of().report?.quarantine ?? []).not.toContainEqual(expect.objectContaining({ table: first?.table }))
    expect(send).toThrow()
  })
  for (const path of ['/towpath/dashboard', '/towpath/instances/5', '/towpath/servers/1', '/towpath/clusters/1', '/towpath/clusters/1/zookeeper?path=/otter/canal', '/towpath/instances/5/config', '/towpath/instances/5/config/history', '/towpath/servers/1/log?offset=-1', '/towpath/audit?limit=10', '/canal/clustersAndServers']) {
    it(`answers ${path}`, () => expect(JSON.stringify(get(path)).length).toBeGreaterThan(20))
  }
})
