import {
  Check,
  CheckCheck,
  CircleAlert,
  Clock,
  LockKeyhole,
  LockOpen,
  TriangleAlert,
} from 'lucide-react'
import type { ReactNode } from 'react'
import type { Delivery, MessageItem } from '../../src-shared/view-model/index.ts'
import { Tip } from '../design/Tip.tsx'
import { deliveryText, protectionText } from '../text/messages.ts'
import { t } from '../text/t.ts'
import { clockTime, fullTime } from '../text/times.ts'

const ticks: Record<Delivery, ReactNode> = {
  queued: <Clock size={13} />,
  sending: <Clock size={13} />,
  sent: <Check size={14} />,
  delivered: <CheckCheck size={14} />,
  read: <CheckCheck size={14} />,
  failed: <CircleAlert size={14} />,
}

/** Time, protection and delivery of a message: small signs, each with its words. */
export function MessageMeta({ item }: { item: MessageItem }) {
  const delivery = deliveryText(item)
  const protection = protectionText(item)
  const state = item.protection.state
  return (
    <span className="meta">
      {item.warnings.length > 0 ? (
        <Tip text={item.warnings.map((warning) => t(`warning.${warning}`)).join(' ')}>
          <span
            role="img"
            className="meta__warning"
            aria-label={item.warnings.map((warning) => t(`warning.${warning}`)).join(' ')}
          >
            <TriangleAlert size={13} />
          </span>
        </Tip>
      ) : null}
      {item.edited && !item.deleted ? <span>{t('message.edited')}</span> : null}
      <Tip text={protection}>
        <span role="img" aria-label={protection} data-protection={state}>
          {state === 'not_encrypted' ? <LockOpen size={12} /> : <LockKeyhole size={11} />}
        </span>
      </Tip>
      <Tip text={fullTime(item.time)}>
        <time dateTime={new Date(item.time).toISOString()}>{clockTime(item.time)}</time>
      </Tip>
      {item.delivery !== null && delivery !== null && !item.deleted ? (
        <Tip text={delivery}>
          <span role="img" aria-label={delivery} data-delivery={item.delivery}>
            {ticks[item.delivery]}
          </span>
        </Tip>
      ) : null}
    </span>
  )
}
