import { memo, useState, type KeyboardEvent, type MouseEvent } from 'react'
import type { MessageItem } from '../../src-shared/view-model/index.ts'
import { Avatar } from '../design/Avatar.tsx'
import { hueOf } from '../design/initials.ts'
import { useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import { clockTime } from '../text/times.ts'
import { Bubble } from './Bubble.tsx'
import { MessageTools } from './MessageTools.tsx'
import { FailedLine, Reactions } from './MessageExtras.tsx'
import type { Place } from './rows.ts'

interface MessageRowProps {
  room: string
  item: MessageItem
  place: Place
  group: boolean
  canSend: boolean
  canDeleteOthers: boolean
  tabStop: boolean
  lit: boolean
  onJump: (envelope: string) => void
}

/** One message. Focusable: arrows walk on, R replies, E edits, C copies, Delete deletes. */
export const MessageRow = memo(function MessageRow({
  room,
  item,
  place,
  group,
  canSend,
  canDeleteOthers,
  tabStop,
  lit,
  onJump,
}: MessageRowProps) {
  const core = useCore()
  const [near, setNear] = useState(false)
  const [menuOpen, setMenuOpen] = useState(false)
  const [reacting, setReacting] = useState(false)
  const opens = place === 'single' || place === 'first'
  const closes = place === 'single' || place === 'last'
  const theirsInGroup = group && !item.mine

  function onKey(event: KeyboardEvent<HTMLDivElement>): void {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey)
      return
    const { envelope } = item
    const usable = envelope !== null && !item.deleted
    if (event.key === 'r' && usable && canSend) {
      core.composers.reply(room, envelope)
      document.querySelector<HTMLElement>('[data-focus="composer"]')?.focus()
    } else if (event.key === 'e' && usable && item.mine) {
      core.composers.startEditing(room, envelope, item.text)
      document.querySelector<HTMLElement>('[data-focus="composer"]')?.focus()
    } else if (event.key === 'c' && !item.deleted) {
      void core.copy(item.text, t('message.copied'))
    } else if (event.key === 'Delete' && usable && (item.mine || canDeleteOthers)) {
      core.showOverlay({ kind: 'delete-message', room, envelope })
    } else if (event.key === 'Enter') {
      core.showOverlay({ kind: 'message-details', room, key: item.key })
    } else return
    event.preventDefault()
  }

  /** The same menu by right click or menu key; selected text and links keep what they have. */
  function onContextMenu(event: MouseEvent<HTMLDivElement>): void {
    const { target } = event
    const onBubble =
      target === event.currentTarget || (target instanceof Element && target.closest('.bubble'))
    if (!onBubble || !(window.getSelection()?.isCollapsed ?? true)) return
    event.preventDefault()
    setNear(true)
    setMenuOpen(true)
  }

  return (
    <div
      role="listitem"
      className="message"
      data-message={item.key}
      data-mine={item.mine}
      data-opens={opens}
      data-lit={lit}
      tabIndex={tabStop ? 0 : -1}
      aria-label={t('message.label', {
        sender: item.mine ? t('common.you') : item.senderName,
        time: clockTime(item.time),
      })}
      onKeyDown={onKey}
      onContextMenu={onContextMenu}
      onPointerEnter={() => setNear(true)}
      onPointerLeave={() => setNear(false)}
      onFocus={() => setNear(true)}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setNear(false)
      }}
    >
      {theirsInGroup ? (
        <span className="message__avatar">
          {closes ? <Avatar id={item.sender} name={item.senderName} size={32} /> : null}
        </span>
      ) : null}
      <div className="message__stack">
        {theirsInGroup && opens ? (
          <p className="message__sender" data-hue={hueOf(item.sender)} dir="auto">
            {item.senderName}
            {item.bot ? <span className="tag">{t('message.bot')}</span> : null}
            {item.bridge ? (
              <span className="tag">{t('message.bridge', { network: item.bridge.network })}</span>
            ) : null}
          </p>
        ) : null}
        <div className="message__line">
          <Bubble item={item} place={place} onJump={onJump} />
          {near || menuOpen || reacting ? (
            <MessageTools
              room={room}
              item={item}
              canSend={canSend}
              canDeleteOthers={canDeleteOthers}
              menuOpen={menuOpen}
              onMenuOpen={setMenuOpen}
              onReacting={setReacting}
            />
          ) : null}
        </div>
        {item.reactions.length > 0 && !item.deleted ? <Reactions room={room} item={item} /> : null}
        {item.delivery === 'failed' ? <FailedLine room={room} item={item} /> : null}
      </div>
    </div>
  )
})
