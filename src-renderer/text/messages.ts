/** A message's delivery and protection, in words. */
import type { MessageItem } from '../../src-shared/view-model/index.ts'
import { t } from './t.ts'

const listFormat = new Intl.ListFormat('en', { style: 'long', type: 'conjunction' })
export const namesInWords = (names: readonly string[]): string => listFormat.format(names)

/** Empty where nobody writes. */
export function writingText(names: readonly string[]): string {
  if (names.length === 0) return ''
  if (names.length > 3) return t('writing.many')
  return t(names.length === 1 ? 'writing.one' : 'writing.some', { names: namesInWords(names) })
}

/** `silent`: servers of the conversation that do not answer. */
export function deliveryText(
  { delivery, deliveredTo, failure }: MessageItem,
  silent: readonly string[] = [],
): string | null {
  switch (delivery) {
    case 'sent':
      return silent.length > 0
        ? t('delivery.waitsFor', { servers: namesInWords(silent) })
        : t('delivery.sent')
    case null:
      return null
    case 'delivered':
      return deliveredTo.length > 0
        ? t('delivery.deliveredTo', { names: namesInWords(deliveredTo) })
        : t('delivery.delivered')
    case 'read':
      return deliveredTo.length > 0
        ? t('delivery.readBy', { names: namesInWords(deliveredTo) })
        : t('delivery.read')
    case 'failed':
      return failure ? t(`failure.${failure}`) : t('delivery.failed')
    default:
      return t(`delivery.${delivery}`)
  }
}

export function protectionText({ protection, mine }: MessageItem): string {
  // There is no sender to ask for one's own words.
  if (mine && protection.state === 'unreadable' && protection.reason === 'key_exchange_failed')
    return t('unreadable.own')
  return protection.state === 'unreadable'
    ? t(`unreadable.${protection.reason}`)
    : t(`protection.${protection.state}`)
}
