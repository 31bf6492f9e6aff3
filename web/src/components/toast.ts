import { ElMessage } from 'element-plus'
import { ref } from 'vue'
import { tell } from './error'

/** announced is what the live region of the shell reads out. */
export const announced = ref('')

function announce(text: string): void {
  announced.value = '' // the same text again must be read again
  setTimeout(() => (announced.value = text), 50)
}

type Kind = 'success' | 'warning' | 'info' | 'error'

/** toast shows a short message for some seconds; errors stay longer and can be closed. */
export function toast(message: string, kind: Kind = 'success'): void {
  announce(message)
  ElMessage({ message, type: kind, duration: kind === 'success' ? 4000 : 8000, showClose: true, grouping: true, offset: 64 })
}

/** toastError shows what went wrong and what to do. */
export function toastError(e: unknown): void {
  const { message, remedy } = tell(e)
  toast(`${message} ${remedy}`.trim(), 'error')
}
