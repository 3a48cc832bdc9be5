import { MessageSquarePlus, Search, X } from 'lucide-react'
import { useRef, type KeyboardEvent } from 'react'
import { shortcutKeys } from '../actions/keyboard.ts'
import { actionById } from '../actions/registry.ts'
import { Button, IconButton } from '../design/Button.tsx'
import { useApp, useCore, useNow } from '../store/react.ts'
import { arrangeRooms } from '../store/rooms.ts'
import { t } from '../text/t.ts'
import { AccountMenu } from './AccountMenu.tsx'
import { Invitation } from './Invitation.tsx'
import { RoomRow } from './RoomRow.tsx'
import './rooms.css'

const keysOf = (id: string): string => {
  const shortcut = actionById(id)?.shortcut
  return shortcut ? shortcutKeys(shortcut).join('+') : ''
}

/** The left column: who I am, search, invitations, conversations. */
export function Sidebar() {
  const core = useCore()
  const { rooms, filter, status, openRoom } = useApp((state) => ({
    rooms: state.rooms,
    filter: state.roomFilter,
    status: state.roomsStatus,
    openRoom: state.openRoom,
  }))
  const now = useNow(60_000)
  const list = useRef<HTMLDivElement>(null)
  const { invitations, joined } = arrangeRooms(rooms, filter)
  const none = invitations.length + joined.length === 0

  function walk(event: KeyboardEvent): void {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step === 0 || event.altKey) return
    const rows = [...(list.current?.querySelectorAll<HTMLElement>('[data-room-row]') ?? [])]
    const at = rows.findIndex((row) => row === document.activeElement)
    rows[Math.min(rows.length - 1, Math.max(0, at + step))]?.focus()
    event.preventDefault()
  }

  return (
    <nav className="sidebar" aria-label={t('rooms.title')}>
      <div className="sidebar__top">
        <AccountMenu />
        <IconButton
          label={t('rooms.new')}
          keys={keysOf('new-conversation')}
          onClick={() => core.showOverlay({ kind: 'new-conversation' })}
        >
          <MessageSquarePlus size={19} aria-hidden="true" />
        </IconButton>
      </div>
      <div className="sidebar__search" role="search">
        <Search size={15} aria-hidden="true" />
        <input
          data-focus="room-search"
          type="text"
          role="searchbox"
          aria-label={t('rooms.search')}
          placeholder={t('rooms.search')}
          value={filter}
          spellCheck={false}
          onChange={(event) => core.filterRooms(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape' && filter) {
              core.filterRooms('')
              event.preventDefault()
            } else if (event.key === 'ArrowDown') walk(event)
            else if (event.key === 'Enter' && !event.nativeEvent.isComposing) {
              const first = joined[0] ?? invitations[0]
              if (first) core.conversation.open(first.id)
            }
          }}
        />
        {filter ? (
          <IconButton
            size="small"
            label={t('rooms.clearSearch')}
            onClick={() => core.filterRooms('')}
          >
            <X size={15} aria-hidden="true" />
          </IconButton>
        ) : (
          <kbd aria-hidden="true">{keysOf('palette')}</kbd>
        )}
      </div>
      <div className="sidebar__list" ref={list} onKeyDown={walk}>
        {invitations.length > 0 ? (
          <section aria-label={t('rooms.invitations')}>
            <h2 className="sidebar__heading">{t('rooms.invitations')}</h2>
            <ul className="sidebar__rooms">
              {invitations.map((room) => (
                <Invitation key={room.id} room={room} open={room.id === openRoom} />
              ))}
            </ul>
          </section>
        ) : null}
        {joined.length > 0 ? (
          <ul className="sidebar__rooms" aria-label={t('rooms.title')}>
            {joined.map((room) => (
              <RoomRow key={room.id} room={room} open={room.id === openRoom} now={now} />
            ))}
          </ul>
        ) : null}
        {none && status === 'failed' ? (
          <div className="sidebar__empty">
            <p>{t('rooms.loadFailed')}</p>
            <Button size="small" onClick={() => void core.rooms.load()}>
              {t('common.tryAgain')}
            </Button>
          </div>
        ) : none && status === 'ready' ? (
          <div className="sidebar__empty">
            {filter.trim() ? (
              <p>{t('rooms.nothingFound', { query: filter.trim() })}</p>
            ) : (
              <>
                <strong>{t('rooms.empty.title')}</strong>
                <p>{t('rooms.empty.body')}</p>
              </>
            )}
          </div>
        ) : null}
      </div>
    </nav>
  )
}
