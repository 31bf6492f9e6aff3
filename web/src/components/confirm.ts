import { ElMessageBox } from 'element-plus'
import { h } from 'vue'
import { t } from '@/i18n'

export interface Question {
  /** What is about to be done, as a question. */
  title: string
  /** The name of what it is done to. */
  target: string
  /** What follows from it. */
  text: string
  /** On the button; "OK" when absent. */
  action?: string
  danger?: boolean
}

/** confirm asks before something is done; false when the person declines. */
export async function confirm(q: Question): Promise<boolean> {
  const body = h('div', { class: 'tp-confirm' }, [h('p', { class: 'tp-confirm-target' }, q.target), h('p', q.text)])
  try {
    await ElMessageBox.confirm(body, q.title, {
      confirmButtonText: q.action ?? t('common.ok'),
      cancelButtonText: t('common.cancel'),
      confirmButtonClass: q.danger ? 'el-button--danger' : '',
      type: 'warning',
      autofocus: !q.danger,
      closeOnClickModal: false,
    })
    return true
  } catch {
    return false
  }
}
