import { computed, ref, watch } from 'vue'

// What the browser remembers of how somebody likes the pages: language, theme,
// whether the menu is narrow. Nothing of it is secret.

export type Language = 'en' | 'zh'
export type Theme = 'system' | 'light' | 'dark'

function remembered(key: string): string | null {
  try {
    return localStorage.getItem(`towpath.${key}`)
  } catch {
    return null // storage is forbidden here; the preference lasts as long as the page
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`towpath.${key}`, value)
  } catch {
    // as above
  }
}

/** preferredLanguage is Chinese when the browser prefers any Chinese. */
export function preferredLanguage(languages: readonly string[] = navigator.languages): Language {
  for (const l of languages) {
    if (l.toLowerCase().startsWith('zh')) return 'zh'
    if (l.toLowerCase().startsWith('en')) return 'en'
  }
  return 'en'
}

function firstLanguage(): Language {
  const saved = remembered('language')
  return saved === 'en' || saved === 'zh' ? saved : preferredLanguage()
}

function firstTheme(): Theme {
  const saved = remembered('theme')
  return saved === 'light' || saved === 'dark' ? saved : 'system'
}

export const language = ref<Language>(firstLanguage())
export const theme = ref<Theme>(firstTheme())
export const menuNarrow = ref(remembered('menu') === 'narrow')

const systemDark = ref(false)

/** dark is whether dark colours are shown now. */
export const dark = computed(() => theme.value === 'dark' || (theme.value === 'system' && systemDark.value))

/** applyPreferences keeps the document and the storage in step with the preferences. */
export function applyPreferences(): void {
  const query = matchMedia('(prefers-color-scheme: dark)')
  systemDark.value = query.matches
  query.addEventListener('change', (e) => (systemDark.value = e.matches))
  watch(dark, (on) => document.documentElement.classList.toggle('dark', on), { immediate: true })
  watch(language, (l) => remember('language', l))
  watch(theme, (th) => remember('theme', th))
  watch(menuNarrow, (narrow) => remember('menu', narrow ? 'narrow' : 'wide'))
}
