import { createRouter, createWebHashHistory } from 'vue-router'
import { t } from '@/i18n'
import { loadMe, me } from '@/state/session'
import { ACCOUNT, leadTo, safeRedirect } from './guard'
import { routes } from './routes'

export const router = createRouter({
  history: createWebHashHistory(),
  routes,
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})

router.beforeEach(async (to) => {
  if (me.value === undefined) {
    try {
      await loadMe()
    } catch {
      // The admin does not answer. Without a session only the log-in can be
      // shown; it says so when one tries.
      me.value = null
    }
  }
  return leadTo(to, me.value ?? null)
})

router.afterEach((to, from) => {
  setTitle(to.meta.title)
  if (to.path !== from.path) arrivals.forEach((f) => f())
})

/** setTitle names the page in the browser's tab. */
export function setTitle(key: string | undefined): void {
  document.title = key ? `${t(`nav.${key}`)} - Towpath Admin` : 'Towpath Admin'
}

const arrivals = new Set<() => void>()

/** onArrival runs f whenever another page is shown. */
export function onArrival(f: () => void): () => void {
  arrivals.add(f)
  return () => arrivals.delete(f)
}

/** sessionEnded leads to the log-in, and back afterwards. */
export function sessionEnded(): void {
  if (me.value === null || router.currentRoute.value.path === '/login') return
  me.value = null
  void router.push({ path: '/login', query: { redirect: router.currentRoute.value.fullPath, ended: '1' } })
}

/** passwordDue leads to the form of the password, and back afterwards. */
export function passwordDue(): void {
  if (me.value) me.value.mustChangePassword = true
  const here = router.currentRoute.value
  if (here.path === ACCOUNT) return
  void router.push({ path: ACCOUNT, query: { redirect: safeRedirect(here.fullPath) } })
}
