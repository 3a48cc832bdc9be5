import { Ban, Hourglass, LockKeyhole } from 'lucide-react'
import { memo } from 'react'
import type { MessageItem } from '../../src-shared/view-model/index.ts'
import { protectionText } from '../text/messages.ts'
import { t } from '../text/t.ts'
import { fullTime } from '../text/times.ts'
import { isEmojiOnly } from './links.ts'
import { MessageMeta } from './MessageMeta.tsx'
import { RichText } from './RichText.tsx'
import type { Place } from './rows.ts'

function Quote({ item, onJump }: { item: MessageItem; onJump: (envelope: string) => void }) {
  const { quote } = item
  if (!quote) return null
  return (
    <button
      type="button"
      className="quote"
      disabled={quote.missing}
      onClick={() => onJump(quote.envelope)}
    >
      {quote.missing ? (
        <span className="quote__text">{t('message.quoteMissing')}</span>
      ) : (
        <>
          <span className="unseen">{t('message.replyTo')} </span>
          <span className="quote__name" dir="auto">
            {quote.senderName}
          </span>
          <span className="quote__text truncate" dir="auto">
            {quote.text.replace(/\s+/g, ' ')}
          </span>
        </>
      )}
    </button>
  )
}

/** The body of a message: its text, or in words why there is none. */
export const Bubble = memo(function Bubble({
  item,
  place,
  onJump,
}: {
  item: MessageItem
  place: Place
  onJump: (envelope: string) => void
}) {
  const { protection } = item
  if (item.deleted) {
    return (
      <div className="bubble bubble--hollow" data-place={place}>
        <Ban size={15} aria-hidden="true" />
        <span>{t('message.deleted')}</span>
        <MessageMeta item={item} />
      </div>
    )
  }
  if (protection.state === 'waiting_for_key' || protection.state === 'unreadable') {
    const waiting = protection.state === 'waiting_for_key'
    return (
      <div className="bubble bubble--hollow" data-place={place} data-protection={protection.state}>
        {waiting ? (
          <Hourglass size={16} aria-hidden="true" />
        ) : (
          <LockKeyhole size={16} aria-hidden="true" />
        )}
        <span className="bubble__why">
          <strong>{waiting ? t('protection.waiting_for_key') : t('protection.unreadable')}</strong>
          <span>{waiting ? t('protection.waiting_for_key.detail') : protectionText(item)}</span>
        </span>
        <MessageMeta item={item} />
      </div>
    )
  }
  const large = !item.quote && isEmojiOnly(item.text)
  return (
    <div
      className={large ? 'bubble bubble--emoji' : 'bubble'}
      data-place={place}
      data-protection={protection.state}
      data-failed={item.delivery === 'failed'}
    >
      <Quote item={item} onJump={onJump} />
      {/* What is written from right to left has its time on the left. */}
      <div className="bubble__body" dir="auto">
        <p className="bubble__text">
          <RichText text={item.text} />
        </p>
        <MessageMeta item={item} />
      </div>
      {item.expiresAt !== null ? (
        <span className="bubble__expires">
          {t('message.expires', { time: fullTime(item.expiresAt) })}
        </span>
      ) : null}
    </div>
  )
})
