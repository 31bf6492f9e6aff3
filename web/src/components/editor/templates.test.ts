import { describe, expect, it } from 'vitest'
import { propertyValues } from './properties'
import { forCluster } from './templates'

describe('forCluster', () => {
  it('fills in what a cluster needs and leaves the rest', () => {
    const values = propertyValues(
      forCluster('canal.port = 11111\ncanal.zkServers =\n#canal.instance.global.spring.xml = classpath:spring/memory-instance.xml\ncanal.instance.global.spring.xml = classpath:spring/file-instance.xml\n', 'a:2181,b:2181'),
    )
    expect(Object.fromEntries(values)).toEqual({
      'canal.port': '11111',
      'canal.zkServers': 'a:2181,b:2181',
      'canal.instance.global.spring.xml': 'classpath:spring/default-instance.xml',
    })
  })
})
