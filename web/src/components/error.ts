import { ApiError } from '@/api/client'
import { t } from '@/i18n'

/** What an error says to a person. */
export interface Told {
  message: string
  remedy: string
}

/** tell gives message and remedy of anything that was thrown; neither is empty. */
export function tell(e: unknown): Told {
  if (!(e instanceof ApiError)) return { message: e instanceof Error && e.message !== '' ? e.message : t('common.error.unknown'), remedy: t('common.error.reload') }
  if (e.unreachable) return { message: t(`common.error.${unreachableKey(e)}`), remedy: t('common.error.unreachableRemedy') }
  return {
    message: e.message || t('common.error.noMessage', { code: e.code }),
    remedy: e.remedy || remedyOf(e),
  }
}

function unreachableKey(e: ApiError): string {
  return e.reason === 'timeout' || e.reason === 'http' ? e.reason : 'offline'
}

function remedyOf(e: ApiError): string {
  switch (e.reason) {
    case 'forbidden':
      return t('common.error.forbiddenRemedy')
    case 'conflict':
      return t('common.error.conflictRemedy')
    case 'not_found':
      return t('common.error.notFoundRemedy')
    case 'unreachable':
      return t('common.error.serverRemedy')
    default:
      return e.code === 40300 ? t('common.error.forbiddenRemedy') : t('common.error.retry')
  }
}
