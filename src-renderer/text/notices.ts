/** What happened to a room, in words. */
import type { NoticeItem } from '../../src-shared/view-model/index.ts'
import { t } from './t.ts'

export function noticeText({ notice }: NoticeItem): string {
  const device = (name: string): string => name || t('notice.someDevice')
  switch (notice.what) {
    case 'created':
    case 'power':
      return t(`notice.${notice.what}`, { by: notice.by })
    case 'joined':
    case 'left':
    case 'returned':
    case 'declined':
    case 'identity_reset':
    case 'fork':
      return t(`notice.${notice.what}`, { who: notice.who })
    case 'knocked':
    case 'knock_withdrawn':
      return t(`notice.${notice.what}`, { who: notice.who })
    case 'invited':
    case 'unbanned':
    case 'knock_declined':
      return t(`notice.${notice.what}`, { who: notice.who, by: notice.by })
    case 'removed':
    case 'banned': {
      const told = t(`notice.${notice.what}`, { who: notice.who, by: notice.by })
      return notice.reason ? t('notice.because', { told, reason: notice.reason }) : told
    }
    case 'role':
      return t(`notice.role.${notice.role}`, { who: notice.who, by: notice.by })
    case 'join_rule':
      return t(`notice.join_rule.${notice.rule}`, { by: notice.by })
    case 'renamed':
      return t('notice.renamed', { by: notice.by, name: notice.name })
    case 'topic':
      return t('notice.topic', { by: notice.by, topic: notice.topic })
    case 'device_added':
    case 'device_removed':
      return t(`notice.${notice.what}`, { who: notice.who, device: device(notice.device) })
    case 'refused':
      return t(`notice.refused.${notice.reason}`)
    case 'gap':
      return t('notice.gap')
  }
}

/** Notices that ask for a second look; the rest is quiet. */
export const noticeIsSerious = ({ notice }: NoticeItem): boolean =>
  ['identity_reset', 'fork', 'refused', 'returned'].includes(notice.what)
