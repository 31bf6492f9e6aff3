import { describe, expect, it } from 'vitest'
import { bodyOf, calls, dataOf, shape, typeName, type Document } from './openapi'

const doc: Document = {
  info: { title: 'T', version: '1' },
  tags: [{ name: 'B' }, { name: 'A' }, { name: 'none' }],
  paths: {
    '/a/{id}': {
      parameters: [],
      get: {
        tags: ['A'],
        responses: { '200': { content: { 'application/json': { schema: { oneOf: [{ properties: { data: { $ref: '#/components/schemas/Node' } } }, {}] } } } } },
      },
      put: { tags: ['B'], requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Node' } } } } },
    },
  },
  components: {
    schemas: {
      Node: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string', description: 'its name' }, next: { anyOf: [{ $ref: '#/components/schemas/Node' }, { type: 'null' }] }, all: { type: ['array', 'null'], items: { type: 'integer' } } },
      },
    },
  },
}

describe('the OpenAPI document', () => {
  it('is grouped by tag in its order', () => {
    expect(calls(doc).map((g) => [g.tag, g.calls.map((c) => c.id)])).toEqual([
      ['B', ['put /a/{id}']],
      ['A', ['get /a/{id}']],
    ])
  })
  it('has types in words', () => {
    expect(typeName({ type: ['array', 'null'], items: { type: 'integer' } })).toBe('integer[] | null')
    expect(typeName({ enum: ['a', 'b'] })).toBe('"a" | "b"')
    expect(typeName({ $ref: '#/components/schemas/Node' })).toBe('Node')
    expect(typeName({})).toBe('any')
  })
  it('ends where a type holds itself', () => {
    const operation = calls(doc)[1]!.calls[0]!.operation
    expect(shape(doc, dataOf(operation), 2)).toBe('{\n  name: string  // its name\n  next?: {\n    name: string  // its name\n    next?: Node\n    all?: [integer]\n  }\n  all?: [integer]\n}')
  })
  it('tells what a call takes', () => {
    expect(bodyOf(calls(doc)[0]!.calls[0]!.operation)).toEqual({ $ref: '#/components/schemas/Node' })
    expect(bodyOf({})).toBeUndefined()
  })
  it('bears unknown references', () => expect(shape(doc, { $ref: '#/components/schemas/Gone' })).toBe('any'))
})
