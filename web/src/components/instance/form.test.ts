import { describe, expect, it } from 'vitest'
import { propertyValues } from '@/components/editor/properties'
import { applyForm, emptyForm, faultsOf, formOf, isAddress, isGTIDSet } from './form'

const TEMPLATE = `# gtid
canal.instance.gtidon=false
canal.instance.master.address=127.0.0.1:3306
canal.instance.master.journal.name=
canal.instance.master.position=
canal.instance.master.timestamp=
canal.instance.master.gtid=
#canal.instance.standby.address =
canal.instance.dbUsername=canal
canal.instance.dbPassword=canal
canal.instance.filter.regex=.*\\\\..*
canal.instance.filter.black.regex=
canal.mq.topic=example
`

const edit = (text: string, change: Partial<ReturnType<typeof emptyForm>>) => {
  const before = formOf(text)
  return applyForm(text, before, { ...before, ...change })
}

describe('formOf', () => {
  it('reads the template', () => {
    expect(formOf(TEMPLATE)).toEqual({
      address: '127.0.0.1:3306', standby: '', username: 'canal', password: 'canal',
      regex: '.*\\..*', blackRegex: '', gtid: false, start: { kind: 'end' },
    })
  })
  it('reads a position', () => {
    expect(formOf('canal.instance.master.journal.name=b.000002\ncanal.instance.master.position=157').start)
      .toEqual({ kind: 'position', file: 'b.000002', offset: 157 })
  })
  it('reads a time', () => expect(formOf('canal.instance.master.timestamp=1500').start).toEqual({ kind: 'time', timestampMs: 1500 }))
  it('takes a GTID set only with GTIDs on', () => {
    const set = 'canal.instance.master.gtid=0-1-5\n'
    expect(formOf(set).start.kind).toBe('end')
    expect(formOf(set + 'canal.instance.gtidon=true').start).toEqual({ kind: 'gtid', gtidSet: '0-1-5' })
  })
})

describe('applyForm', () => {
  it('leaves the text alone when nothing was changed', () => expect(edit(TEMPLATE, {})).toBe(TEMPLATE))
  it('changes only its line', () => {
    expect(edit(TEMPLATE, { address: 'db:3307' })).toBe(TEMPLATE.replace('127.0.0.1:3306', 'db:3307'))
  })
  it('escapes what a properties file needs escaped', () => {
    expect(edit(TEMPLATE, { regex: 'shop\\..*' })).toContain('canal.instance.filter.regex=shop\\\\..*\n')
  })
  it('takes the standby out of its comment', () => {
    expect(edit(TEMPLATE, { standby: 'db2:3306' })).toContain('\ncanal.instance.standby.address=db2:3306\n')
  })
  it('writes one way to begin and empties the others', () => {
    const at = edit(TEMPLATE, { start: { kind: 'position', file: 'b.000003', offset: 0 } })
    expect(propertyValues(at).get('canal.instance.master.position')).toBe('4')
    const later = edit(at, { start: { kind: 'time', timestampMs: 1700000000000 } })
    expect(propertyValues(later).get('canal.instance.master.journal.name')).toBe('')
    expect(formOf(later).start).toEqual({ kind: 'time', timestampMs: 1700000000000 })
    expect(edit(later, { start: { kind: 'end' } })).toBe(TEMPLATE)
  })
  it('turns GTIDs on for a GTID set', () => {
    expect(formOf(edit(TEMPLATE, { start: { kind: 'gtid', gtidSet: '0-1-5' } }))).toMatchObject({ gtid: true, start: { kind: 'gtid' } })
  })
  it('comes to the same from a text without the keys', () => {
    const text = edit('', { address: 'h:1', username: 'u', password: 'p', regex: 'a\\.b', gtid: true })
    expect(formOf(text)).toMatchObject({ address: 'h:1', username: 'u', password: 'p', regex: 'a\\.b', gtid: true })
  })
})

describe('faultsOf', () => {
  const good = { ...emptyForm(), address: 'h:3306', username: 'u', regex: 'a\\..*' }
  it('finds none', () => expect(faultsOf(good, 'orders')).toEqual({}))
  const cases: [string, Parameters<typeof faultsOf>, object][] = [
    ['no name', [good, ''], { name: 'empty' }],
    ['a path as name', [good, '../up,two'], { name: 'name' }],
    ['no port', [{ ...good, address: 'h' }], { address: 'address' }],
    ['standby without port', [{ ...good, standby: 'h' }], { standby: 'address' }],
    ['double backslash', [{ ...good, regex: 'a\\\\..*' }], { regex: 'escaped' }],
    ['position without file', [{ ...good, start: { kind: 'position' } }], { start: 'empty' }],
    ['broken GTID set', [{ ...good, start: { kind: 'gtid', gtidSet: 'abc' } }], { start: 'gtid' }],
  ]
  for (const [name, args, want] of cases) it(name, () => expect(faultsOf(...args)).toEqual(want))
})

describe('isAddress', () => {
  for (const ok of ['db:3306', '10.0.0.1:1', '[::1]:3306', 'my-db.example:65535']) it(ok, () => expect(isAddress(ok)).toBe(true))
  for (const bad of ['db', 'db:', 'db:0', 'db:65536', '::1:3306', 'a b:1', 'jdbc:mysql://h:1']) it(bad, () => expect(isAddress(bad)).toBe(false))
})

describe('isGTIDSet', () => {
  const uuid = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
  for (const ok of [`${uuid}:1-5`, `${uuid}:1-5:11-18, ${uuid}:7`, `${uuid}:tag:1-3:5`, '0-1-5,1-2-9']) it(ok, () => expect(isGTIDSet(ok)).toBe(true))
  for (const bad of ['', ',', uuid, `${uuid}:`, '0-1', `${uuid}:1,0-1-5`]) it(bad, () => expect(isGTIDSet(bad)).toBe(false))
})
