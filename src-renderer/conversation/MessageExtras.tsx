import type { MessageItem } from '../../src-shared/view-model/index.ts'
import { Button } from '../design/Button.tsx'
import { useApp, useCore } from '../store/react.ts'
import { deliveryText, namesInWords } from '../text/messages.ts'
import { t } from '../text/t.ts'

/** Reactions under a message; each toggles one's own. */
export function Reactions({ room, item }: { room: string; item: MessageItem }) {
  const core = useCore()
  const members = useApp((state) => state.details[room]?.members)
  const nameOf = (id: string): string => {
    const member = members?.find((each) => each.id === id || each.userId === id)
    return member?.me ? t('common.you') : (member?.name ?? id)
  }
  return (
    <div className="reactions">
      {item.reactions.map((reaction) => {
        const names = namesInWords(reaction.members.map(nameOf))
        return (
          <button
            key={reaction.emoji}
            type="button"
            className="reaction"
            data-tip={names}
            aria-pressed={reaction.mine}
            aria-label={t('message.reaction', {
              emoji: reaction.emoji,
              count: reaction.members.length,
              names,
            })}
            onClick={() => {
              if (item.envelope === null) return
              void core.conversation.react(room, item.envelope, reaction.emoji, !reaction.mine)
            }}
          >
            <span>{reaction.emoji}</span>
            {reaction.members.length > 1 ? <span>{reaction.members.length}</span> : null}
          </button>
        )
      })}
    </div>
  )
}

/** Why a message was not sent, and what can be done. */
export function FailedLine({ room, item }: { room: string; item: MessageItem }) {
  const core = useCore()
  return (
    <div className="failed">
      <span>{deliveryText(item)}</span>
      <Button
        size="small"
        look="danger-quiet"
        onClick={() => void core.conversation.retry(room, item.key)}
      >
        {t('message.retry')}
      </Button>
      <Button
        size="small"
        look="danger-quiet"
        onClick={() => void core.conversation.cancel(room, item.key)}
      >
        {t('message.cancel')}
      </Button>
    </div>
  )
}
