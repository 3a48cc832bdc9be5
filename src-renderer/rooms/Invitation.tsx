import type { RoomSummary } from '../../src-shared/view-model/index.ts'
import { Button } from '../design/Button.tsx'
import { useApp, useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import { RoomAvatar } from './RoomAvatar.tsx'

/** An invitation in the list, to look at, accept or decline. */
export function Invitation({ room, open }: { room: RoomSummary; open: boolean }) {
  const core = useCore()
  const busy = useApp((state) => state.answering.includes(room.id))
  const inviter = room.inviter?.name ?? room.name
  const title = room.kind === 'group' ? room.name : inviter

  return (
    <li className="invitation" data-open={open}>
      <button
        type="button"
        className="invitation__who"
        data-room-row
        aria-current={open ? 'page' : undefined}
        onClick={() => core.conversation.open(room.id)}
      >
        <RoomAvatar room={room} name={title} size={36} />
        <span className="room-row__text">
          <span className="room-row__name truncate" dir="auto">
            {title}
          </span>
          <span className="room-row__preview truncate" dir="auto">
            {room.kind === 'group'
              ? t('rooms.invitedToGroup', { name: inviter })
              : t('rooms.invitedToTalk')}
          </span>
        </span>
      </button>
      <span className="invitation__answers">
        <Button
          size="small"
          look="primary"
          busy={busy}
          aria-label={t('rooms.acceptNamed', { name: title })}
          onClick={() => void core.rooms.accept(room.id)}
        >
          {t('rooms.accept')}
        </Button>
        <Button
          size="small"
          aria-label={t('rooms.declineNamed', { name: title })}
          onClick={() => {
            if (!busy) void core.rooms.decline(room.id)
          }}
        >
          {t('rooms.decline')}
        </Button>
      </span>
    </li>
  )
}
