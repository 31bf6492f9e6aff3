import { setProperty } from './properties'

// What a template needs before it fits.

/**
 * forCluster fills the ZooKeeper addresses of a cluster into canal.properties,
 * which Canal leaves to the operator, and keeps cursors in ZooKeeper, so that
 * every server of the cluster finds them.
 */
export function forCluster(template: string, zkHosts: string): string {
  const text = setProperty(template, 'canal.zkServers', zkHosts)
  return setProperty(text, 'canal.instance.global.spring.xml', 'classpath:spring/default-instance.xml')
}
