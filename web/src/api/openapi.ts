// What the admin says about its own calls: as much of OpenAPI 3.1 as it uses.

export interface Schema {
  type?: string | string[]
  $ref?: string
  description?: string
  format?: string
  enum?: unknown[]
  const?: unknown
  default?: unknown
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  additionalProperties?: Schema | boolean
  anyOf?: Schema[]
  oneOf?: Schema[]
}

export interface Parameter {
  name: string
  in: string
  required?: boolean
  description?: string
  schema?: Schema
}

export interface Operation {
  summary?: string
  description?: string
  tags?: string[]
  parameters?: Parameter[]
  requestBody?: { content: Record<string, { schema?: Schema }> }
  responses?: Record<string, { description?: string; content?: Record<string, { schema?: Schema }> }>
}

export interface Document {
  info: { title: string; version: string; description?: string }
  tags?: { name: string; description?: string }[]
  paths: Record<string, Record<string, Operation | Parameter[]>>
  components?: { schemas?: Record<string, Schema> }
}

/** Call is one method of one path. */
export interface Call {
  id: string
  method: string
  path: string
  tag: string
  operation: Operation
}

const METHODS = ['get', 'post', 'put', 'delete']

/** calls lists them by tag, in the order of the document's tags. */
export function calls(doc: Document): { tag: string; calls: Call[] }[] {
  const groups = new Map<string, Call[]>((doc.tags ?? []).map((t) => [t.name, []]))
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of METHODS) {
      const operation = item[method] as Operation | undefined
      if (!operation) continue
      const tag = operation.tags?.[0] ?? ''
      if (!groups.has(tag)) groups.set(tag, [])
      groups.get(tag)?.push({ id: `${method} ${path}`, method: method.toUpperCase(), path, tag, operation })
    }
  }
  return [...groups].map(([tag, list]) => ({ tag, calls: list })).filter((g) => g.calls.length > 0)
}

/** resolve follows a reference; an unknown one gives an empty schema. */
export function resolve(doc: Document, s: Schema): Schema {
  if (!s.$ref) return s
  return doc.components?.schemas?.[s.$ref.replace('#/components/schemas/', '')] ?? {}
}

/** typeName is a type in a few words: "integer", "Position[]", "string or null". */
export function typeName(s: Schema | undefined): string {
  if (!s) return ''
  if (s.$ref) return s.$ref.replace(/^.*\//, '')
  if (s.const !== undefined) return JSON.stringify(s.const)
  if (s.enum) return s.enum.map((v) => JSON.stringify(v)).join(' | ')
  const variants = s.anyOf ?? s.oneOf
  if (variants) return variants.map(typeName).join(' | ')
  const types = Array.isArray(s.type) ? s.type : [s.type ?? 'any']
  return types.map((t) => (t === 'array' ? `${typeName(s.items)}[]` : t)).join(' | ')
}

/** shape writes a schema as one would write a value of it, references followed to a depth. */
export function shape(doc: Document, s: Schema | undefined, depth = 3, indent = ''): string {
  if (!s) return ''
  const variants = (s.anyOf ?? s.oneOf)?.filter((v) => v.type !== 'null')
  if (variants && variants[0]) return shape(doc, variants[0], depth, indent)
  const to = resolve(doc, s)
  const isArray = to.type === 'array' || (Array.isArray(to.type) && to.type.includes('array'))
  if (isArray) return `[${shape(doc, to.items, depth, indent)}]`
  if (!to.properties) return typeName(to)
  if (depth === 0) return typeName(s)
  const inner = indent + '  '
  const lines = Object.entries(to.properties).map(([name, p]) => {
    const optional = to.required?.includes(name) ? '' : '?'
    const comment = p.description ? `  // ${p.description}` : ''
    return `${inner}${name}${optional}: ${shape(doc, p, depth - 1, inner)}${comment}`
  })
  return `{\n${lines.join('\n')}\n${indent}}`
}

/** dataOf is what stands in data of the envelope of an operation that succeeds. */
export function dataOf(operation: Operation): Schema | undefined {
  const body = operation.responses?.['200']?.content?.['application/json']?.schema
  const good = body?.oneOf?.[0] ?? body
  return good?.properties?.data ?? good
}

export function bodyOf(operation: Operation): Schema | undefined {
  return Object.values(operation.requestBody?.content ?? {})[0]?.schema
}
