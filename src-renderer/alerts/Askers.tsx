import { DoorOpen } from 'lucide-react'
import { Button } from '../design/Button.tsx'
import { useApp, useCore } from '../store/react.ts'
import { t } from '../text/t.ts'

/** People who ask to come into the open conversation, for those who may let them in. */
export function Askers({ room }: { room: string }) {
  const core = useCore()
  const { members, busy } = useApp((state) => ({
    members: state.details[room]?.members,
    busy: state.answering.includes(room),
  }))
  const asking = (members ?? []).filter(({ can }) => can.letIn)
  return asking.map(({ id, name, userId, can }) => (
    <div key={id} className="room-alert room-alert--waiting" role="group" aria-label={name}>
      <DoorOpen size={17} aria-hidden="true" />
      <p>{t('knock.asks', { name, userId })}</p>
      <Button
        size="small"
        look="primary"
        busy={busy}
        aria-label={t('knock.letInNamed', { name })}
        onClick={() => void core.rooms.answerKnock(room, id, true)}
      >
        {t('knock.letIn')}
      </Button>
      {can.decline ? (
        <Button
          size="small"
          aria-label={t('knock.declineNamed', { name })}
          onClick={() => {
            if (!busy) void core.rooms.answerKnock(room, id, false)
          }}
        >
          {t('rooms.decline')}
        </Button>
      ) : null}
    </div>
  ))
}
