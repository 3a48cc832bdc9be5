/** The line under a room's name, in words. */
import type { RoomSummary } from '../../src-shared/view-model/index.ts'
import { t } from '../text/t.ts'

export function previewText({ preview, kind }: RoomSummary): string {
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
