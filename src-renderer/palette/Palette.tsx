import { Command } from 'cmdk'
import { Search } from 'lucide-react'
import { useState } from 'react'
import { shortcutKeys } from '../actions/keyboard.ts'
import { actions } from '../actions/registry.ts'
import { Dialog } from '../design/Dialog.tsx'
import { arrangeRooms, matches } from '../store/rooms.ts'
import { useApp, useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import './palette.css'
import { RoomAvatar } from '../rooms/RoomAvatar.tsx'

const maxRooms = 8

/** Jump anywhere: rooms by name, then actions. */
export function Palette() {
  const core = useCore()
  const [query, setQuery] = useState('')
  const state = useApp((whole) => whole)
  const wanted = query.trim()
  const { invitations, joined } = arrangeRooms(state.rooms, '')
  const rooms = [...joined, ...invitations]
    .filter((room) => wanted === '' || matches(wanted, room.name, room.topic))
    .slice(0, maxRooms)
  const found = actions.filter(
    (action) =>
      !action.keyOnly &&
      (action.when?.(state) ?? true) &&
      (wanted === '' || matches(wanted, t(action.label))),
  )
  const close = (): void => core.showOverlay(null)

  return (
    <Dialog title={t('palette.title')} onClose={close} place="top" bare width={560}>
      <Command label={t('palette.placeholder')} shouldFilter={false} loop className="palette">
        <div className="palette__field">
          <Search size={18} aria-hidden="true" />
          <Command.Input
            autoFocus
            value={query}
            onValueChange={setQuery}
            placeholder={t('palette.placeholder')}
          />
          <kbd aria-hidden="true">{t('key.esc')}</kbd>
        </div>
        {rooms.length + found.length === 0 ? (
          <p className="palette__none" role="status">
            {t('palette.none')}
          </p>
        ) : null}
        <Command.List
          className="palette__list"
          label={t('palette.results')}
          hidden={rooms.length + found.length === 0}
        >
          {rooms.length > 0 ? (
            <Command.Group heading={t('palette.rooms')}>
              {rooms.map((room) => (
                <Command.Item
                  key={room.id}
                  value={room.id}
                  className="palette__item"
                  onSelect={() => {
                    close()
                    core.conversation.open(room.id)
                  }}
                >
                  <RoomAvatar room={room} size={28} />
                  <span className="truncate" dir="auto">
                    {room.name}
                  </span>
                  {room.unread > 0 ? (
                    <span className="palette__note">
                      {t('rooms.unread', { count: room.unread })}
                    </span>
                  ) : null}
                </Command.Item>
              ))}
            </Command.Group>
          ) : null}
          {found.length > 0 ? (
            <Command.Group heading={t('palette.actions')}>
              {found.map((action) => (
                <Command.Item
                  key={action.id}
                  value={action.id}
                  className="palette__item"
                  onSelect={() => {
                    close()
                    action.run(core)
                  }}
                >
                  <span className="truncate">{t(action.label)}</span>
                  {action.shortcut ? (
                    <kbd className="palette__note">{shortcutKeys(action.shortcut).join('+')}</kbd>
                  ) : null}
                </Command.Item>
              ))}
            </Command.Group>
          ) : null}
        </Command.List>
      </Command>
    </Dialog>
  )
}
