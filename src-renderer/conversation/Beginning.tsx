import { LockKeyhole } from 'lucide-react'
import type { RoomSummary } from '../../src-shared/view-model/index.ts'
import { t } from '../text/t.ts'
import { RoomAvatar } from '../rooms/RoomAvatar.tsx'

/** Stands where a conversation begins. */
export function Beginning({ room }: { room: RoomSummary }) {
  const group = room.kind === 'group'
  return (
    <div className="beginning">
      <RoomAvatar room={room} size={56} />
      <p>
        {group
          ? t('conversation.start.group', { room: room.name })
          : t('conversation.start', { room: room.name })}
      </p>
      <p className="small quiet row">
        <LockKeyhole size={13} aria-hidden="true" />
        {t('conversation.start.detail')}
      </p>
    </div>
  )
}
