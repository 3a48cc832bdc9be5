import { ArrowUp, Check, Pencil, Reply, Smile, X } from 'lucide-react'
import { Popover } from 'radix-ui'
import { useEffect, useId, useRef, useState, type KeyboardEvent } from 'react'
import type { RoomSummary } from '../../src-shared/view-model/index.ts'
import { IconButton } from '../design/Button.tsx'
import { composerOf } from '../store/composer.ts'
import { useApp, useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import { EmojiPicker } from './EmojiPicker.tsx'

const maxLength = 16_000

/** Where one writes. Enter sends, Shift+Enter breaks the line, an input method is never cut short. */
export function Composer({ room }: { room: RoomSummary }) {
  const core = useCore()
  const composer = useApp((state) => composerOf(state, room.id))
  const repliedTo = useApp((state) => {
    const found = state.timelines[room.id]?.items.find(
      (item) => item.kind === 'message' && item.envelope === composer.replyTo,
    )
    return found?.kind === 'message' ? found : null
  })
  const field = useRef<HTMLTextAreaElement>(null)
  const caret = useRef<number | null>(null)
  const [picking, setPicking] = useState(false)
  const hintId = useId()
  const editing = composer.editing !== null
  const over = composer.text.length - maxLength

  useEffect(() => {
    field.current?.focus()
  }, [room.id])

  useEffect(() => () => core.conversation.writing(room.id, false), [core, room.id])

  // Editing begins with the caret at the end of the old text.
  useEffect(() => {
    const element = field.current
    if (!editing || !element) return
    element.focus()
    element.setSelectionRange(element.value.length, element.value.length)
  }, [editing, composer.editing])

  function submit(): void {
    if (over <= 0) void core.conversation.send(room.id)
  }

  function onKey(event: KeyboardEvent<HTMLTextAreaElement>): void {
    // 229: Chromium reports the Enter that ends a composition this way on some systems.
    if (event.nativeEvent.isComposing || event.keyCode === 229) return
    if (event.key === 'Enter' && !event.shiftKey && !event.altKey && !event.ctrlKey) {
      event.preventDefault()
      submit()
    } else if (
      event.key === 'ArrowUp' &&
      composer.text === '' &&
      !event.altKey &&
      core.conversation.editLastOwn(room.id)
    ) {
      event.preventDefault()
    }
  }

  function insert(emoji: string): void {
    const at = caret.current ?? composer.text.length
    core.composers.write(room.id, composer.text.slice(0, at) + emoji + composer.text.slice(at))
    caret.current = at + emoji.length
    setPicking(false)
    requestAnimationFrame(() => {
      field.current?.focus()
      field.current?.setSelectionRange(at + emoji.length, at + emoji.length)
    })
  }

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      {editing || composer.replyTo !== null ? (
        <div className="composer__mode">
          {editing ? (
            <Pencil size={15} aria-hidden="true" />
          ) : (
            <Reply size={15} aria-hidden="true" />
          )}
          <span className="composer__mode-text truncate" dir="auto">
            <strong>
              {editing
                ? t('composer.editing')
                : repliedTo
                  ? t('composer.replying', { name: repliedTo.senderName })
                  : t('composer.replyingOld')}
            </strong>
            {!editing && repliedTo ? ` ${repliedTo.text.replace(/\s+/g, ' ')}` : null}
          </span>
          <IconButton
            size="small"
            label={editing ? t('composer.cancelEdit') : t('composer.cancelReply')}
            onClick={() => {
              if (editing) core.composers.stopEditing(room.id)
              else core.composers.reply(room.id, null)
              field.current?.focus()
            }}
          >
            <X size={15} aria-hidden="true" />
          </IconButton>
        </div>
      ) : null}
      <div className="composer__box">
        <Popover.Root
          open={picking}
          onOpenChange={(open) => {
            caret.current = field.current?.selectionStart ?? null
            setPicking(open)
          }}
        >
          <Popover.Trigger asChild>
            <IconButton label={t('composer.emoji')}>
              <Smile size={20} aria-hidden="true" />
            </IconButton>
          </Popover.Trigger>
          <Popover.Portal>
            <Popover.Content
              className="popover"
              side="top"
              align="start"
              sideOffset={12}
              collisionPadding={12}
              aria-label={t('emoji.title')}
            >
              <EmojiPicker onPick={insert} />
            </Popover.Content>
          </Popover.Portal>
        </Popover.Root>
        <textarea
          ref={field}
          data-focus="composer"
          className="composer__field"
          rows={1}
          dir="auto"
          aria-label={t('composer.label', { room: room.name })}
          aria-describedby={hintId}
          placeholder={t('composer.placeholder')}
          value={composer.text}
          onChange={(event) => {
            const text = event.target.value
            core.composers.write(room.id, text)
            core.conversation.writing(room.id, text.trim() !== '')
          }}
          onBlur={() => core.conversation.writing(room.id, false)}
          onKeyDown={onKey}
        />
        <span id={hintId} className="unseen">
          {t('composer.hint')}
        </span>
        {over > 0 ? (
          <span className="composer__over" role="alert">
            {t('composer.tooLong', { count: over })}
          </span>
        ) : null}
        <button
          type="submit"
          className="composer__send"
          aria-label={editing ? t('composer.saveEdit') : t('composer.send')}
          disabled={composer.text.trim() === '' || over > 0}
        >
          {editing ? (
            <Check size={19} aria-hidden="true" />
          ) : (
            <ArrowUp size={19} aria-hidden="true" />
          )}
        </button>
      </div>
    </form>
  )
}
