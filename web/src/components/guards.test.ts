import { describe, expect, it } from 'vitest'
import { i18n } from '@/i18n'
import en from '@/i18n/locales/en'
import zh from '@/i18n/locales/zh'
import { configGuard, instanceLogGuard, startInstanceGuard, startServerGuard, stopInstanceGuard, stopServerGuard } from './guards'

const cluster = { id: 1, name: 'main', zkHosts: null, modifiedTime: null }

describe('guards', () => {
  const cases: [string, string, string][] = [
    ['configuration of a server of a cluster', configGuard({ canalCluster: cluster, clusterId: 1 }), 'servers.guard.config'],
    ['configuration of a server of a cluster that is gone', configGuard({ canalCluster: null, clusterId: 7 }), 'servers.guard.config'],
    ['configuration of a server that is alone', configGuard({ canalCluster: null, clusterId: null }), ''],
    ['start of a stopped server', startServerGuard('0'), ''],
    ['start of a running server', startServerGuard('1'), 'servers.guard.start'],
    ['start of a server out of reach', startServerGuard('-1'), 'servers.guard.start'],
    ['stop of a running server', stopServerGuard('1'), ''],
    ['stop of a stopped server', stopServerGuard('0'), 'servers.guard.stop'],
    ['stop of a server out of reach', stopServerGuard('-1'), 'servers.guard.stop'],
    ['start of a stopped instance', startInstanceGuard('0'), ''],
    ['start of a running instance', startInstanceGuard('1'), 'instances.guard.start'],
    ['stop of a running instance', stopInstanceGuard('1'), ''],
    ['stop of a stopped instance', stopInstanceGuard('0'), 'instances.guard.stop'],
    ['log of an instance that nobody runs', instanceLogGuard(0), 'instances.guard.log'],
    ['log of an instance whose server is not known', instanceLogGuard(null), 'instances.guard.log'],
    ['log of an instance that runs', instanceLogGuard(4), ''],
  ]
  for (const [name, got, want] of cases) it(name, () => expect(got).toBe(want))

  it('have texts', () => {
    i18n.global.setLocaleMessage('zh', zh)
    i18n.global.setLocaleMessage('en', en)
    for (const key of ['servers.guard.config', 'servers.guard.start', 'servers.guard.stop', 'instances.guard.start', 'instances.guard.stop', 'instances.guard.log']) {
      expect(i18n.global.te(key, 'en'), key).toBe(true)
      expect(i18n.global.te(key, 'zh'), key).toBe(true)
    }
  })
})
