import type { NewInstance, StartAt } from '@/api/types'
import { propertyValues, setProperty } from '@/components/editor/properties'

// The form of an instance and its text, instance.properties, are two views of
// the same: formOf reads the fields out of a text, applyForm writes what was
// changed in them into it and leaves everything else alone.

/** InstanceForm is what the form asks for. Everything but start is text as it is meant, without escapes. */
export type InstanceForm = Omit<NewInstance, 'name'>

const MASTER = 'canal.instance.master'

const textKeys = {
  address: `${MASTER}.address`,
  standby: 'canal.instance.standby.address',
  username: 'canal.instance.dbUsername',
  password: 'canal.instance.dbPassword',
  regex: 'canal.instance.filter.regex',
  blackRegex: 'canal.instance.filter.black.regex',
} as const

const GTID_ON = 'canal.instance.gtidon'
const startKeys = ['journal.name', 'position', 'timestamp', 'gtid'].map((k) => `${MASTER}.${k}`)

/** emptyForm is the form before anything is known. */
export function emptyForm(): InstanceForm {
  return { address: '', standby: '', username: '', password: '', regex: '', blackRegex: '', gtid: false, start: { kind: 'end' } }
}

/** formOf reads the form out of instance.properties. */
export function formOf(text: string): InstanceForm {
  const values = propertyValues(text)
  const form = emptyForm()
  for (const [field, key] of Object.entries(textKeys)) form[field as keyof typeof textKeys] = values.get(key) ?? ''
  form.gtid = values.get(GTID_ON)?.trim().toLowerCase() === 'true'
  form.start = startOf(values, form.gtid)
  return form
}

function startOf(values: Map<string, string>, gtid: boolean): StartAt {
  const [file = '', position = '', timestamp = '', set = ''] = startKeys.map((k) => values.get(k)?.trim() ?? '')
  if (gtid && set !== '') return { kind: 'gtid', gtidSet: set }
  if (file !== '') return { kind: 'position', file, offset: whole(position) }
  if (whole(timestamp) > 0) return { kind: 'time', timestampMs: whole(timestamp) }
  return { kind: 'end' }
}

function whole(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : 0
}

/** applyForm writes into text what differs between two states of its form. */
export function applyForm(text: string, before: InstanceForm, after: InstanceForm): string {
  for (const [name, key] of Object.entries(textKeys)) {
    const field = name as keyof typeof textKeys
    if ((before[field] ?? '') !== (after[field] ?? '')) text = setProperty(text, key, after[field] ?? '')
  }
  if (before.gtid !== after.gtid) text = setProperty(text, GTID_ON, String(after.gtid))
  if (JSON.stringify(before.start) !== JSON.stringify(after.start)) text = applyStart(text, after.start)
  return text
}

/** applyStart writes one way to begin and empties the others, of which the server would take the first it finds. */
function applyStart(text: string, start: StartAt): string {
  const [file = '', position = '', timestamp = '', set = ''] = startKeys
  const wanted: Record<string, string> = { [file]: '', [position]: '', [timestamp]: '', [set]: '' }
  if (start.kind === 'position') {
    wanted[file] = start.file ?? ''
    wanted[position] = start.file ? String(start.offset || 4) : ''
  }
  if (start.kind === 'time' && start.timestampMs) wanted[timestamp] = String(start.timestampMs)
  if (start.kind === 'gtid') wanted[set] = start.gtidSet ?? ''
  const there = propertyValues(text)
  for (const [key, value] of Object.entries(wanted)) {
    if (value !== '' || there.has(key)) text = setProperty(text, key, value)
  }
  return start.kind === 'gtid' ? setProperty(text, GTID_ON, 'true') : text
}

/** FormFault is what is wrong with a field; its text is instanceForm.fault.<fault>. */
export type FormFault = 'empty' | 'address' | 'name' | 'escaped' | 'gtid'

/** Names of instances: they become names of folders, of ZooKeeper nodes and parts of comma lists. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

/** faultsOf are the faults by field; name is checked when it is given. */
export function faultsOf(form: InstanceForm, name?: string): Partial<Record<keyof NewInstance, FormFault>> {
  const faults: Partial<Record<keyof NewInstance, FormFault>> = {}
  if (name !== undefined && !NAME.test(name)) faults.name = name === '' ? 'empty' : 'name'
  if (form.address === '') faults.address = 'empty'
  else if (!isAddress(form.address)) faults.address = 'address'
  if (form.standby && !isAddress(form.standby)) faults.standby = 'address'
  if (form.username === '') faults.username = 'empty'
  if (form.regex.includes('\\\\')) faults.regex = 'escaped'
  if (form.blackRegex?.includes('\\\\')) faults.blackRegex = 'escaped'
  if (form.start.kind === 'position' && !form.start.file) faults.start = 'empty'
  if (form.start.kind === 'time' && !form.start.timestampMs) faults.start = 'empty'
  if (form.start.kind === 'gtid') {
    if (!form.start.gtidSet) faults.start = 'empty'
    else if (!isGTIDSet(form.start.gtidSet)) faults.start = 'gtid'
  }
  return faults
}

/** isAddress says whether a text is host:port; hosts of IPv6 stand in brackets. */
export function isAddress(text: string): boolean {
  const m = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text.trim())
  return m !== null && Number(m[1]) > 0 && Number(m[1]) <= 65535
}

const MYSQL_GTID = /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?::[A-Za-z_]\w{0,31})?(?::\d+(?:-\d+)?(?::[A-Za-z_]\w{0,31})?)+$/
const MARIADB_GTID = /^\d+-\d+-\d+$/

/** isGTIDSet says whether a text looks like a GTID set of MySQL (tags included) or of MariaDB. */
export function isGTIDSet(text: string): boolean {
  const parts = text.replace(/\s/g, '').split(',').filter((p) => p !== '')
  return parts.length > 0 && (parts.every((p) => MYSQL_GTID.test(p)) || parts.every((p) => MARIADB_GTID.test(p)))
}
