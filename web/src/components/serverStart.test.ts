import { describe, expect, it } from 'vitest'
import { localProperties } from './serverStart'

describe('localProperties', () => {
  const server = { clusterId: '' as const, name: 'canal-1', ip: '10.0.0.5', adminPort: 11110, tcpPort: null, metricPort: null }
  it('has the keys that a server needs', () => {
    expect(localProperties(server, 'main', 'admin:8089', 'fleet').split('\n')).toEqual([
      'canal.register.ip = 10.0.0.5',
      'canal.admin.manager = admin:8089',
      'canal.admin.port = 11110',
      'canal.admin.user = fleet',
      'canal.admin.passwd = <hash>',
      'canal.admin.register.auto = true',
      'canal.admin.register.cluster = main',
      'canal.admin.register.name = canal-1',
    ])
  })
  it('has the ports that differ from those of the template', () => {
    const lines = (tcpPort: number, metricPort: number) => localProperties({ ...server, tcpPort, metricPort }, '', 'admin:8089', 'fleet').split('\n').slice(8)
    expect(lines(11111, 11112)).toEqual([])
    expect(lines(21111, 21112)).toEqual(['canal.port = 21111', 'canal.metrics.pull.port = 21112'])
  })
  it('leaves the cluster empty when alone', () => {
    expect(localProperties(server, '', 'admin:8089', 'fleet')).toContain('canal.admin.register.cluster =\n')
  })
})
