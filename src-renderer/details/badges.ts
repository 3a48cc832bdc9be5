/**
 * The two badges that never stand in for each other: how a room is protected, and where trust in
 * the server comes from. Pure.
 */
import type { AccountView, RoomDetails, RoomSummary } from '../../src-shared/view-model/index.ts'
import { t } from '../text/t.ts'

export interface Badge {
  readonly icon: 'lock' | 'ghost' | 'bridge' | 'home' | 'server' | 'warning'
  readonly tone: 'good' | 'plain' | 'careful' | 'bad'
  readonly text: string
  readonly detail: string
}

export function roomBadge(room: RoomSummary, details: RoomDetails | undefined): Badge {
  if (details?.hasBridges) {
    return {
      icon: 'bridge',
      tone: 'careful',
      text: t('badge.room.bridged'),
      detail: t('badge.room.bridged.detail'),
    }
  }
  const visibility = {
    private: { text: t('badge.room.protected'), detail: t('badge.room.protected.detail') },
    invite_only: { text: t('badge.room.invite'), detail: t('badge.room.invite.detail') },
    shadow: { text: t('badge.room.shadow'), detail: t('badge.room.shadow.detail') },
  }[room.visibility]
  return {
    icon: room.visibility === 'shadow' ? 'ghost' : 'lock',
    tone: 'good',
    text: details?.hasBots ? t('badge.room.bot') : visibility.text,
    detail: visibility.detail,
  }
}

/** The server that this account speaks to; never a statement about the room. */
export function serverBadge({ connection, homeserver, personalNode }: AccountView): Badge {
  const server = homeserver
  if (connection.state === 'offline' && connection.reason === 'certificate') {
    return {
      icon: 'warning',
      tone: 'bad',
      text: t('badge.server.certificate'),
      detail: t('badge.server.certificate.detail', { server }),
    }
  }
  if (personalNode) {
    return {
      icon: 'home',
      tone: 'plain',
      text: t('badge.server.own'),
      detail: t('badge.server.own.detail'),
    }
  }
  return {
    icon: 'server',
    tone: 'plain',
    text: t('badge.server.other', { server }),
    detail: t('badge.server.other.detail', { server }),
  }
}
