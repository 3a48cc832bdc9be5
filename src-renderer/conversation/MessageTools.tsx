import { Copy, Ellipsis, Info, Pencil, Reply, SmilePlus, Trash2 } from 'lucide-react'
import { DropdownMenu, Popover } from 'radix-ui'
import { useState, type ReactNode } from 'react'
import type { MessageItem } from '../../src-shared/view-model/index.ts'
import { IconButton } from '../design/Button.tsx'
import { useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import { EmojiPicker } from './EmojiPicker.tsx'

const quick = ['👍', '❤️', '😂', '😮', '😢', '🙏']

function ReactButton({
  room,
  item,
  envelope,
  onOpenChange,
}: {
  room: string
  item: MessageItem
  envelope: string
  onOpenChange: (open: boolean) => void
}) {
  const core = useCore()
  const [open, setOpen] = useState(false)
  const [all, setAll] = useState(false)
  const change = (now: boolean): void => {
    setOpen(now)
    setAll(false)
    onOpenChange(now)
  }
  const react = (emoji: string): void => {
    const mine = item.reactions.some((each) => each.emoji === emoji && each.mine)
    change(false)
    void core.conversation.react(room, envelope, emoji, !mine)
  }
  return (
    <Popover.Root open={open} onOpenChange={change}>
      <Popover.Trigger asChild>
        <IconButton size="small" label={t('message.react')}>
          <SmilePlus size={16} aria-hidden="true" />
        </IconButton>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className="popover"
          side="top"
          sideOffset={6}
          collisionPadding={10}
          aria-label={t('message.react')}
        >
          {all ? (
            <EmojiPicker onPick={react} />
          ) : (
            <div className="quick">
              {quick.map((emoji) => (
                <button
                  key={emoji}
                  type="button"
                  className="emoji"
                  aria-label={t('emoji.reactWith', { emoji })}
                  onClick={() => react(emoji)}
                >
                  {emoji}
                </button>
              ))}
              <IconButton label={t('emoji.moreReactions')} onClick={() => setAll(true)}>
                <Ellipsis size={18} aria-hidden="true" />
              </IconButton>
            </div>
          )}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  )
}

function Entry({
  icon,
  label,
  hotkey,
  danger = false,
  onSelect,
}: {
  icon: ReactNode
  label: string
  /** The key that does the same while the message has the focus. */
  hotkey: string
  danger?: boolean
  onSelect: () => void
}) {
  return (
    <DropdownMenu.Item
      className="menu__item"
      data-look={danger ? 'danger' : 'plain'}
      onSelect={onSelect}
    >
      {icon}
      {label}
      <kbd aria-hidden="true">{hotkey}</kbd>
    </DropdownMenu.Item>
  )
}

/** The small bar beside a message under the pointer or with the focus. */
export function MessageTools({
  room,
  item,
  canSend,
  canDeleteOthers,
  menuOpen,
  onMenuOpen,
  onReacting,
}: {
  room: string
  item: MessageItem
  canSend: boolean
  canDeleteOthers: boolean
  menuOpen: boolean
  onMenuOpen: (open: boolean) => void
  onReacting: (open: boolean) => void
}) {
  const core = useCore()
  const { envelope } = item
  const readable =
    item.protection.state === 'protected' || item.protection.state === 'not_encrypted'
  const usable = envelope !== null && !item.deleted && canSend
  const focusComposer = (): void =>
    document.querySelector<HTMLElement>('[data-focus="composer"]')?.focus()
  const reply = (): void => {
    if (envelope === null) return
    core.composers.reply(room, envelope)
    requestAnimationFrame(focusComposer)
  }
  const edit = (): void => {
    if (envelope === null) return
    core.composers.startEditing(room, envelope, item.text)
    // After the menu has given the focus back.
    requestAnimationFrame(focusComposer)
  }
  return (
    <div className="tools" role="toolbar" aria-label={t('message.actions')}>
      {usable && readable ? (
        <>
          <ReactButton room={room} item={item} envelope={envelope} onOpenChange={onReacting} />
          <IconButton size="small" label={t('message.reply')} keys={t('key.reply')} onClick={reply}>
            <Reply size={16} aria-hidden="true" />
          </IconButton>
        </>
      ) : null}
      <DropdownMenu.Root modal={false} open={menuOpen} onOpenChange={onMenuOpen}>
        <DropdownMenu.Trigger asChild>
          <IconButton size="small" label={t('message.more')}>
            <Ellipsis size={16} aria-hidden="true" />
          </IconButton>
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal container={document.querySelector('main')}>
          <DropdownMenu.Content className="menu" align="end" sideOffset={6} collisionPadding={10}>
            {usable && readable ? (
              <Entry
                icon={<Reply size={16} aria-hidden="true" />}
                label={t('message.reply')}
                hotkey={t('key.reply')}
                onSelect={reply}
              />
            ) : null}
            {readable && !item.deleted ? (
              <Entry
                icon={<Copy size={16} aria-hidden="true" />}
                label={t('message.copy')}
                hotkey={t('key.copy')}
                onSelect={() => void core.copy(item.text, t('message.copied'))}
              />
            ) : null}
            {usable && item.mine ? (
              <Entry
                icon={<Pencil size={16} aria-hidden="true" />}
                label={t('message.edit')}
                hotkey={t('key.edit')}
                onSelect={edit}
              />
            ) : null}
            <Entry
              icon={<Info size={16} aria-hidden="true" />}
              label={t('message.details')}
              hotkey={t('key.enter')}
              onSelect={() => core.showOverlay({ kind: 'message-details', room, key: item.key })}
            />
            {usable && (item.mine || canDeleteOthers) ? (
              <>
                <div className="menu__line" role="separator" />
                <Entry
                  icon={<Trash2 size={16} aria-hidden="true" />}
                  label={t('message.delete')}
                  hotkey={t('key.delete')}
                  danger
                  onSelect={() => core.showOverlay({ kind: 'delete-message', room, envelope })}
                />
              </>
            ) : null}
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
    </div>
  )
}
