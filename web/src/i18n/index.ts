import { createI18n } from 'vue-i18n'
import { language, type Language } from '@/state/preferences'
import en from './locales/en'

/** The texts of one language: one object for each file, by the file's name. */
export type Messages = Record<string, Record<string, unknown>>

export const i18n = createI18n({
  legacy: false,
  locale: 'en',
  fallbackLocale: 'en',
  messages: { en } as Record<string, Messages>,
  missingWarn: false,
  fallbackWarn: false,
})

/** t translates outside of components. */
export const t = i18n.global.t as (key: string, named?: Record<string, unknown>) => string

/** setLanguage loads the texts of a language and shows them. */
export async function setLanguage(to: Language): Promise<void> {
  if (!i18n.global.availableLocales.includes(to)) {
    const { default: messages } = await import('./locales/zh')
    i18n.global.setLocaleMessage(to, messages)
  }
  i18n.global.locale.value = to
  language.value = to
  document.documentElement.lang = to === 'zh' ? 'zh-CN' : 'en'
}
