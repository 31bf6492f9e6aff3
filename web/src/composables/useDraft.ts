import { onBeforeUnmount, watch, type Ref } from 'vue'

const PREFIX = 'towpath.draft.'

/**
 * useDraft keeps what somebody has typed while the session is renewed or the page
 * loaded anew: in the storage of the browser's tab, for one user. Fields that are
 * named in secrets are never kept. done forgets it.
 */
export function useDraft<T extends object>(key: string, form: Ref<T>, secrets: readonly (keyof T)[] = []) {
  const name = PREFIX + key

  function restore(): boolean {
    try {
      const text = sessionStorage.getItem(name)
      if (text === null) return false
      Object.assign(form.value, JSON.parse(text) as Partial<T>)
      return true
    } catch {
      return false
    }
  }

  function keep(): void {
    const kept: Partial<T> = { ...form.value }
    for (const s of secrets) delete kept[s]
    try {
      sessionStorage.setItem(name, JSON.stringify(kept))
    } catch {
      // no storage, no draft
    }
  }

  function done(): void {
    clearTimeout(timer)
    timer = undefined
    try {
      sessionStorage.removeItem(name)
    } catch {
      // as above
    }
  }

  let timer: ReturnType<typeof setTimeout> | undefined
  function later(): void {
    clearTimeout(timer)
    timer = setTimeout(() => {
      timer = undefined
      keep()
    }, 300)
  }

  /** begin keeps what is typed from now on, while wanted says so. */
  function begin(wanted: () => boolean = () => true): void {
    watch(form, () => wanted() && later(), { deep: true })
  }

  onBeforeUnmount(() => {
    if (timer !== undefined) keep() // typed a moment ago
    clearTimeout(timer)
  })
  return { restore, begin, done }
}

/** forgetDrafts removes all of them, when somebody logs out. */
export function forgetDrafts(): void {
  try {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key)
  } catch {
    // no storage
  }
}
