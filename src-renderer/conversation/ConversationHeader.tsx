import { PanelRight } from 'lucide-react'
import type { RoomSummary } from '../../src-shared/view-model/index.ts'
import { IconButton } from '../design/Button.tsx'
import { useApp, useCore } from '../store/react.ts'
import { currentAccount } from '../store/session.ts'
import { t } from '../text/t.ts'
import { roomBadge, serverBadge, type Badge } from '../details/badges.ts'
import { BadgeIcon } from '../details/BadgeIcon.tsx'
import { RoomAvatar } from '../rooms/RoomAvatar.tsx'

function Pill({ badge, label }: { badge: Badge; label: string }) {
  const core = useCore()
  return (
    <button
      type="button"
      className="pill"
      data-tone={badge.tone}
      aria-label={label}
      aria-description={badge.detail}
      data-tip={badge.detail}
      onClick={() => core.toggleDetails(true)}
    >
      <BadgeIcon icon={badge.icon} size={13} />
      <span className="truncate">{badge.text}</span>
    </button>
  )
}

export function ConversationHeader({ room }: { room: RoomSummary }) {
  const core = useCore()
  const { details, open } = useApp((state) => ({
    details: state.details[room.id],
    open: state.detailsOpen,
  }))
  const account = useApp(currentAccount)
  const group = room.kind === 'group'
  const other = details?.members.find((member) => !member.me)
  const forRoom = roomBadge(room, details)
  const forServer = account ? serverBadge(account) : null
  const subtitle = group
    ? room.topic || t('conversation.members', { count: room.memberCount })
    : (other?.userId ?? '')
  return (
    <header className="head">
      <RoomAvatar room={room} size={38} />
      <div className="head__text">
        <h1 className="head__name truncate" dir="auto">
          {room.name}
        </h1>
        {subtitle ? (
          <p className="head__sub truncate" dir="auto">
            {subtitle}
          </p>
        ) : null}
      </div>
      <div className="head__badges">
        <Pill badge={forRoom} label={t('badge.room.label', { text: forRoom.text })} />
        {forServer ? (
          <Pill badge={forServer} label={t('badge.server.label', { text: forServer.text })} />
        ) : null}
      </div>
      <IconButton
        label={open ? t('conversation.hideDetails') : t('conversation.showDetails')}
        aria-expanded={open}
        onClick={() => core.toggleDetails()}
      >
        <PanelRight size={19} aria-hidden="true" />
      </IconButton>
    </header>
  )
}
