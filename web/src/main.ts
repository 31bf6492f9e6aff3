import 'element-plus/dist/index.css'
import 'element-plus/theme-chalk/dark/css-vars.css'
import '@/theme/theme.css'
import { createApp } from 'vue'
import { setHooks } from '@/api/client'
import { i18n, setLanguage } from '@/i18n'
import { passwordDue, router, sessionEnded } from '@/router'
import { applyPreferences, language } from '@/state/preferences'
import App from './App.vue'

applyPreferences()
setHooks({
  ended: sessionEnded,
  mustChangePassword: passwordDue,
  language: () => (language.value === 'zh' ? 'zh-CN' : 'en'),
})
await setLanguage(language.value)
createApp(App).use(i18n).use(router).mount('#app')
