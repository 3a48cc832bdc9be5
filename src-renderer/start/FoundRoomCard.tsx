import { Avatar } from '../design/Avatar.tsx'
import { Button } from '../design/Button.tsx'
import type { FoundRoom } from '../store/rooms.ts'
import { t } from '../text/t.ts'

/** A conversation that a link leads to, and what can be done about it. Stands in a form. */
export function FoundRoomCard({ room, busy }: { room: FoundRoom; busy: boolean }) {
  const { standing, joinRule } = room
  const name = room.name || t('start.room.unnamed')
  const action =
    standing === 'ban' || (standing === 'none' && joinRule === 'invite')
      ? null
      : standing !== 'none'
        ? t('start.openExisting')
        : joinRule === 'public'
          ? t('start.room.join')
          : t('start.room.ask')
  const told =
    standing === 'ban'
      ? t('rooms.ended.banned')
      : standing === 'knock'
        ? t('start.room.waiting')
        : t(`start.room.${joinRule}`)
  return (
    <div className="person" role="group" aria-label={name}>
      <Avatar id={room.room} name={name} size={46} />
      <div className="person__text">
        <strong className="truncate" dir="auto">
          {name}
        </strong>
        <span className="small quiet truncate">{t('start.room.on', { server: room.server })}</span>
        <span className="small quiet">{told}</span>
      </div>
      {action === null ? null : (
        <Button look="primary" type="submit" busy={busy}>
          {action}
        </Button>
      )}
    </div>
  )
}
