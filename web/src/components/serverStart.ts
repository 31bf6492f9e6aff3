import type { NodeServerForm } from '@/api/types'

/**
 * localProperties is the conf/canal_local.properties that starts a server: the
 * keys of Canal's file of that name, and the other ports when they are not those
 * of the template. user is canal.adminUser of the admin. The password cannot be shown here, since the admin does not
 * give it to browsers.
 */
export function localProperties(server: NodeServerForm, cluster: string, manager: string, user: string): string {
  const lines = [
    ['canal.register.ip', server.ip],
    ['canal.admin.manager', manager],
    ['canal.admin.port', String(server.adminPort ?? 11110)],
    ['canal.admin.user', user],
    ['canal.admin.passwd', '<hash>'],
    ['canal.admin.register.auto', 'true'],
    ['canal.admin.register.cluster', cluster],
    ['canal.admin.register.name', server.name],
  ]
  if (server.tcpPort !== null && server.tcpPort !== 11111) lines.push(['canal.port', String(server.tcpPort)])
  if (server.metricPort !== null && server.metricPort !== 11112) lines.push(['canal.metrics.pull.port', String(server.metricPort)])
  return lines.map(([key, value]) => `${key} = ${value}`.trimEnd()).join('\n')
}

/** The hash that canal.admin.passwd holds, of a password on standard input. */
export const PASSWORD_HASH = "echo 'PASSWORD' | towpath admin hash"

export const START_COMMAND = 'towpath server --home DIR --local'
