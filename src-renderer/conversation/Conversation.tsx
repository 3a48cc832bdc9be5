import { Button } from '../design/Button.tsx'
import { Askers } from '../alerts/Askers.tsx'
import { RoomAlerts } from '../alerts/RoomAlerts.tsx'
import { SilentServers } from '../alerts/SilentServers.tsx'
import { useApp, useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import { EndedBar, EndedView, KnockView } from './AtTheDoor.tsx'
import { Composer } from './Composer.tsx'
import { ConversationHeader } from './ConversationHeader.tsx'
import { InvitationView } from './InvitationView.tsx'
import { MessageList } from './MessageList.tsx'
import { Placeholder } from './Placeholder.tsx'
import { Writing } from './Writing.tsx'
import './composer.css'
import './conversation.css'
import './message.css'

/** The middle column: the open conversation, an invitation, or what to do when none is open. */
export function Conversation() {
  const core = useCore()
  const { room, timeline, canSend } = useApp((state) => {
    const id = state.openRoom ?? ''
    return {
      room: state.rooms[id],
      timeline: state.timelines[id],
      canSend: state.details[id]?.can.send ?? true,
    }
  })
  if (!room) return <Placeholder />
  if (room.membership === 'invite') return <InvitationView room={room} />
  if (room.membership === 'knock') return <KnockView room={room} />
  const ended = room.membership === 'leave'
  if (ended && timeline?.status === 'ready' && timeline.items.length === 0)
    return <EndedView room={room} />
  const held = timeline && (timeline.status === 'ready' || timeline.items.length > 0)
  return (
    <main className="sheet" aria-label={t('announce.opened', { room: room.name })}>
      <ConversationHeader room={room} />
      <RoomAlerts room={room.id} />
      <Askers room={room.id} />
      <SilentServers room={room.id} />
      {held ? (
        <MessageList key={`messages ${room.id}`} room={room} timeline={timeline} />
      ) : (
        <div className="messages messages--none">
          {timeline?.status === 'failed' ? (
            <>
              <p>{t('conversation.loadFailed')}</p>
              <Button onClick={() => void core.conversation.reload(room.id)}>
                {t('common.tryAgain')}
              </Button>
            </>
          ) : (
            <span className="unseen" role="status">
              {t('common.loading')}
            </span>
          )}
        </div>
      )}
      {ended ? (
        <EndedBar room={room} />
      ) : room.leavingAt !== null ? (
        <div className="composer composer--closed">
          <span>{t('conversation.leaving')}</span>
          <Button size="small" onClick={() => void core.rooms.undoLeave(room.id)}>
            {t('common.undo')}
          </Button>
        </div>
      ) : canSend ? (
        <>
          <Writing room={room.id} />
          <Composer key={`composer ${room.id}`} room={room} />
        </>
      ) : (
        <div className="composer composer--closed">{t('conversation.cannotSend')}</div>
      )}
    </main>
  )
}
