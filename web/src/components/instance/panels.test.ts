import { mount } from '@vue/test-utils'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Component } from 'vue'
import { i18n, setLanguage } from '@/i18n'
import type { HistoryReport, QuarantineReport } from '@/api/types'
import StateTag from '@/components/StateTag.vue'
import HistoryPanel from './HistoryPanel.vue'
import QuarantinePanel from './QuarantinePanel.vue'

const show = (what: Component, props: Record<string, unknown>) => mount(what, { props, global: { plugins: [i18n] } })

const orders: QuarantineReport = { schema: 'shop', table: 'orders', reason: '5 columns, not 4', remedy: 'mend it', sinceMs: 1, position: { file: 'mysql-bin.000007', offset: 42 }, rows: 3 }
const history: HistoryReport = { kind: 'mysql', place: 'db:3306/tsdb', changes: 1234, lastChangeMs: 1, lastSnapshotMs: 1 }

for (const language of ['en', 'zh'] as const) {
  describe(`in ${language}`, () => {
    beforeAll(() => setLanguage(language))

    it('says why a table is in quarantine, and what to do', () => {
      const text = show(QuarantinePanel, { tables: [orders, { ...orders, table: 'items', remedy: undefined }], total: 5 }).text()
      for (const part of ['5', 'shop.orders', 'shop.items', '5 columns, not 4', 'mend it', 'mysql-bin.000007:42', '3']) expect(text).toContain(part)
      expect(text).toMatch(language === 'en' ? /and 3 more tables$/ : /另有 3 张表$/)
    })

    it('says what becomes of the rows of a table', () => {
      const until = { file: 'mysql-bin.000008', offset: 4 }
      const cases: [Partial<QuarantineReport>, RegExp, RegExp][] = [
        [{}, /are held back/, /已暂扣/],
        [{ marked: true }, /columns @1, @2, …/, /以 @1、@2、… 为列名/],
        [{ until }, /flow again from mysql-bin.000008:4 on.*missing/, /自 mysql-bin.000008:4 起已恢复投递/],
        [{ until, marked: true }, /with their names from mysql-bin.000008:4 on.*@1/, /自 mysql-bin.000008:4 起已恢复以真实列名投递/],
      ]
      for (const [change, en, zh] of cases) {
        expect(show(QuarantinePanel, { tables: [{ ...orders, ...change }], total: 1 }).text()).toMatch(language === 'en' ? en : zh)
      }
    })

    it('lets who may do it dismiss a table', async () => {
      const tables = [orders, { ...orders, table: 'items' }]
      expect(show(QuarantinePanel, { tables, total: 2 }).find('button').exists()).toBe(false)
      const panel = show(QuarantinePanel, { tables, total: 2, mayDismiss: true })
      const buttons = panel.findAll('button')
      expect(buttons.map((b) => b.text())).toEqual(language === 'en' ? ['Dismiss', 'Dismiss'] : ['解除', '解除'])
      expect(buttons[1]?.attributes('aria-label')).toContain('shop.items')
      await buttons[1]?.trigger('click')
      expect(panel.emitted('dismiss')).toEqual([[tables[1]]])
    })

    it('says where the history is, and what is wrong with it', () => {
      const well = show(HistoryPanel, { history })
      for (const part of ['MySQL', 'db:3306/tsdb', '1,234']) expect(well.text()).toContain(part)
      expect(well.find('.is-danger').exists()).toBe(false)
      expect(show(HistoryPanel, { history: { ...history, error: 'no room' } }).find('.is-danger').text()).toContain('no room')
    })

    it('says that no history is kept', () => expect(show(HistoryPanel, { history: { kind: 'memory', changes: 0 } }).text()).toContain('canal.instance.tsdb.enable'))
  })
}

describe('the state of an instance', () => {
  const tag = (value: string, quarantined: number) => show(StateTag, { kind: 'instance', value, quarantined })
  beforeAll(() => setLanguage('en'))

  it('is amber with tables in quarantine, and tells how many', () => {
    expect(tag('running', 0).classes()).toContain('el-tag--success')
    expect(tag('running', 2).classes()).toContain('el-tag--warning')
    expect(tag('running', 2).text()).toBe('Running · 2 tables in quarantine')
    expect(tag('running', 1).text()).toBe('Running · 1 table in quarantine')
  })
  it('stays red when it is worse', () => expect(tag('failed', 2).classes()).toContain('el-tag--danger'))
})
