/** The line under a room's name, in words. */
import type { RoomSummary } from '../../src-shared/view-model/index.ts'
import { endingLine } from '../text/endings.ts'
import { t } from '../text/t.ts'

export function previewText(room: RoomSummary): string {
  const { preview, kind, membership, asking = 0 } = room
  if (membership === 'knock') return t('rooms.waiting')
  if (membership === 'leave') return endingLine(room)
  if (asking > 0) return t('rooms.asking', { count: asking })
  if (!preview) return t('rooms.preview.none')
  switch (preview.kind) {
    case 'waiting':
      return t('rooms.preview.waiting')
    case 'unreadable':
      return t('rooms.preview.unreadable')
    case 'deleted':
      return t('rooms.preview.deleted')
    case 'notice':
      return preview.text
    case 'text': {
      const text = preview.text.replace(/\s+/g, ' ')
      if (preview.mine) return t('rooms.preview.mine', { text })
      return kind === 'group' ? t('rooms.preview.sender', { sender: preview.sender, text }) : text
    }
  }
}
