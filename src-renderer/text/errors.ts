/** Errors in words: what is wrong and what to do. */
import type { IpcError } from '../../src-shared/ipc/index.ts'
import { t } from './t.ts'

export function errorText(error: IpcError): string {
  if (error.code === 'rate_limited' && error.retryAfter !== undefined) {
    return t('error.rate_limited.seconds', { count: Math.ceil(error.retryAfter / 1000) })
  }
  return t(`error.${error.code}`)
}
