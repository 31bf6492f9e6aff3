import { computed, ref } from 'vue'
import { ApiError, Code } from '@/api/client'
import * as canal from '@/api/canal'
import * as towpath from '@/api/towpath'
import type { Me, Role } from '@/api/types'

// Who is logged in. The token itself is in a cookie that scripts cannot read.

/** me is undefined until it has been asked for, null when nobody is logged in. */
export const me = ref<Me | null>()

const ranks: Record<Role, number> = { viewer: 0, operator: 1, admin: 2 }

/** allows says whether a role may do what needs another. */
export function allows(has: Role | undefined, need: Role): boolean {
  return has !== undefined && ranks[has] >= ranks[need]
}

export const mayOperate = computed(() => allows(me.value?.role, 'operator'))
export const mayAdminister = computed(() => allows(me.value?.role, 'admin'))

/** loadMe asks who is logged in; other failures than an ended session are thrown. */
export async function loadMe(): Promise<Me | null> {
  try {
    me.value = await towpath.me()
  } catch (e) {
    if (!(e instanceof ApiError)) throw e
    if (e.code === Code.mustChangePassword) me.value = await strangerWithDefaultPassword()
    else if (e.code === Code.sessionEnded) me.value = null
    else throw e
  }
  return me.value ?? null
}

/** Before the default password is changed only Canal's call tells who it is. */
async function strangerWithDefaultPassword(): Promise<Me> {
  const user = await canal.userInfo()
  return { id: user.id, username: user.username, name: user.name ?? '', role: 'viewer', mustChangePassword: true, version: '', zoneMinutes: 480 }
}

export async function login(username: string, password: string): Promise<Me | null> {
  const result = await canal.login(username, password)
  const who = await loadMe()
  if (who && result.needPasswordChange === 'true') who.mustChangePassword = true
  return who
}

export async function logout(): Promise<void> {
  try {
    await canal.logout()
  } finally {
    me.value = null
  }
}
