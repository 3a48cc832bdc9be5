import type { RoomSummary } from '../../src-shared/view-model/index.ts'
import { Button } from '../design/Button.tsx'
import { RoomAvatar } from '../rooms/RoomAvatar.tsx'
import { useApp, useCore } from '../store/react.ts'
import { endingText } from '../text/endings.ts'
import { t } from '../text/t.ts'

/** Asked to come in, and not let in yet. */
export function KnockView({ room }: { room: RoomSummary }) {
  const core = useCore()
  const busy = useApp((state) => state.answering.includes(room.id))
  return (
    <main className="sheet sheet--centre">
      <RoomAvatar room={room} size={88} />
      <h1 className="sheet__title">{t('knock.title', { room: room.name })}</h1>
      {room.topic ? <p dir="auto">{room.topic}</p> : null}
      <p className="quiet sheet__lead">{t('knock.body')}</p>
      <Button size="large" busy={busy} onClick={() => void core.rooms.withdrawKnock(room.id)}>
        {t('knock.withdraw')}
      </Button>
    </main>
  )
}

function Forget({ room }: { room: RoomSummary }) {
  const core = useCore()
  return (
    <Button size="small" onClick={() => void core.rooms.forget(room.id)}>
      {t('ended.forget')}
    </Button>
  )
}

/** Never got in: there is nothing to read, only how it ended. */
export function EndedView({ room }: { room: RoomSummary }) {
  return (
    <main className="sheet sheet--centre">
      <RoomAvatar room={room} size={88} />
      <h1 className="sheet__title">{room.name}</h1>
      <p className="sheet__lead">{endingText(room)}</p>
      <Forget room={room} />
    </main>
  )
}

/** In place of the composer: why nothing can be written any more. */
export function EndedBar({ room }: { room: RoomSummary }) {
  return (
    <div className="composer composer--closed">
      <p className="composer__ended">{endingText(room)}</p>
      <Forget room={room} />
    </div>
  )
}
