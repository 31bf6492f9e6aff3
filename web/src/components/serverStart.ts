import type { NodeServerForm } from '@/api/types'

/**
 * localProperties is the conf/canal_local.properties that starts a server: the
 * keys of Canal's file of that name. The password cannot be shown here, since
 * the admin does not give it to browsers.
 */
export function localProperties(server: NodeServerForm, cluster: string, manager: string): string {
  const lines = [
    ['canal.register.ip', server.ip],
    ['canal.admin.manager', manager],
    ['canal.admin.port', String(server.adminPort ?? 11110)],
    ['canal.admin.user', 'admin'],
    ['canal.admin.passwd', '<hash>'],
    ['canal.admin.register.auto', 'true'],
    ['canal.admin.register.cluster', cluster],
    ['canal.admin.register.name', server.name],
  ]
  return lines.map(([key, value]) => `${key} = ${value}`.trimEnd()).join('\n')
}

/** The hash that canal.admin.passwd holds: SHA-1 of SHA-1, in hex. */
export const PASSWORD_HASH = "printf %s 'PASSWORD' | openssl sha1 -binary | openssl sha1 -r | cut -d' ' -f1"

export const START_COMMAND = 'towpath server --local'
