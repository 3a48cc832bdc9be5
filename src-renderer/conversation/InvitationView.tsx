import { useState } from 'react'
import type { RoomSummary } from '../../src-shared/view-model/index.ts'
import { Button } from '../design/Button.tsx'
import { useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import { RoomAvatar } from '../rooms/RoomAvatar.tsx'

/** An invitation, looked at before it is accepted or declined. */
export function InvitationView({ room }: { room: RoomSummary }) {
  const core = useCore()
  const [busy, setBusy] = useState<'accept' | 'decline' | null>(null)
  const name = room.inviter?.name ?? room.name
  const title =
    room.kind === 'group'
      ? t('conversation.invitation.group', { name, room: room.name })
      : t('conversation.invitation.direct', { name })

  async function answer(which: 'accept' | 'decline'): Promise<void> {
    setBusy(which)
    await (which === 'accept' ? core.rooms.accept(room.id) : core.rooms.decline(room.id))
    setBusy(null)
  }

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
          busy={busy === 'accept'}
          onClick={() => void answer('accept')}
        >
          {t('rooms.accept')}
        </Button>
        <Button size="large" busy={busy === 'decline'} onClick={() => void answer('decline')}>
          {t('rooms.decline')}
        </Button>
      </div>
    </main>
  )
}
