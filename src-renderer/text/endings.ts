/** How a conversation ended for somebody who did not end it, in words. */
import type { RoomSummary } from '../../src-shared/view-model/index.ts'
import { t } from './t.ts'

export function endingText({ ended, name }: RoomSummary): string {
  if (!ended) return t('conversation.cannotSend')
  const { how, by, reason } = ended
  const told =
    by === null ? t(`ended.${how}`, { room: name }) : t(`ended.${how}.by`, { room: name, name: by })
  return reason ? `${told} ${t('ended.reason', { reason })}` : told
}

/** The same in a line of the list. */
export function endingLine({ ended }: RoomSummary): string {
  return t(`rooms.ended.${ended?.how ?? 'removed'}`)
}
