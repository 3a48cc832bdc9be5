import { Ghost } from 'lucide-react'
import { memo, useEffect } from 'react'
import type { RoomSummary } from '../../src-shared/view-model/index.ts'
import { useApp, useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import { listTime } from '../text/times.ts'
import { previewText } from './preview.ts'
import { RoomAvatar } from './RoomAvatar.tsx'

export const RoomRow = memo(function RoomRow({
  room,
  open,
  now,
}: {
  room: RoomSummary
  open: boolean
  now: number
}) {
  const core = useCore()
  const leaving = room.leavingAt !== null
  const counted =
    room.mentions > 0
      ? t('rooms.mentions', { count: room.mentions })
      : room.unread > 0
        ? t('rooms.unread', { count: room.unread })
        : null
  const draft = useApp((state) => {
    const written = state.composers[room.id]
    return (written?.editing === null ? written.text : written?.aside) ?? ''
  })
  const drafted = room.hasDraft && !leaving && !open
  // What was begun stands in the row, so it is fetched once.
  useEffect(() => {
    if (drafted) void core.composers.load(room.id)
  }, [core, drafted, room.id])
  const preview = leaving
    ? t('rooms.leaving')
    : drafted && draft.trim() !== ''
      ? draft.replace(/\s+/g, ' ')
      : previewText(room)
  return (
    <li>
      <button
        type="button"
        className="room-row"
        data-room-row
        data-unread={room.unread > 0}
        data-ghost={leaving || room.membership !== 'join' || room.visibility === 'shadow'}
        aria-current={open ? 'page' : undefined}
        onClick={() => core.conversation.open(room.id)}
      >
        <RoomAvatar room={room} size={42} />
        <span className="room-row__text">
          <span className="room-row__line">
            <span className="room-row__name truncate" dir="auto">
              {room.name}
            </span>
            {room.visibility === 'shadow' ? <Ghost size={13} aria-hidden="true" /> : null}
            {room.lastActivity > 0 ? (
              <time className="room-row__time">{listTime(room.lastActivity, now)}</time>
            ) : null}
          </span>
          <span className="room-row__line">
            <span
              className="room-row__preview truncate"
              dir="auto"
              data-quiet={
                leaving || (!drafted && room.preview !== null && room.preview.kind !== 'text')
              }
            >
              {drafted ? <span className="room-row__draft">{t('rooms.draft')}: </span> : null}
              {preview}
            </span>
            {counted ? (
              <span className="room-row__count" data-mention={room.mentions > 0}>
                <span aria-hidden="true">{Math.min(room.unread || room.mentions, 999)}</span>
                <span className="unseen">{counted}</span>
              </span>
            ) : null}
          </span>
        </span>
      </button>
    </li>
  )
})
