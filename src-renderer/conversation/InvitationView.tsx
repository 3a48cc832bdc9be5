import type { RoomSummary } from '../../src-shared/view-model/index.ts'
import { Button } from '../design/Button.tsx'
import { useApp, useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import { RoomAvatar } from '../rooms/RoomAvatar.tsx'

/** An invitation, looked at before it is accepted or declined. */
export function InvitationView({ room }: { room: RoomSummary }) {
  const core = useCore()
  const busy = useApp((state) => state.answering.includes(room.id))
  const name = room.inviter?.name ?? room.name
  const title =
    room.kind === 'group'
      ? t('conversation.invitation.group', { name, room: room.name })
      : t('conversation.invitation.direct', { name })

  return (
    <main className="sheet sheet--centre">
      <RoomAvatar room={room} name={room.kind === 'group' ? room.name : name} size={88} />
      <h1 className="sheet__title">{title}</h1>
      {room.inviter ? (
        <p className="quiet" dir="ltr">
          {t('conversation.invitation.from', {
            userId: room.inviter.userId,
            server: room.inviter.server,
          })}
        </p>
      ) : null}
      {room.topic ? <p dir="auto">{room.topic}</p> : null}
      <p className="quiet sheet__lead">{t('conversation.invitation.body')}</p>
      <div className="row">
        <Button
          look="primary"
          size="large"
          busy={busy}
          onClick={() => void core.rooms.accept(room.id)}
        >
          {t('rooms.accept')}
        </Button>
        <Button
          size="large"
          onClick={() => {
            if (!busy) void core.rooms.decline(room.id)
          }}
        >
          {t('rooms.decline')}
        </Button>
      </div>
    </main>
  )
}
