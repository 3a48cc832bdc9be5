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
import { useApp } from '../store/react.ts'
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
  const silent = useApp((state) => state.details[state.openRoom ?? '']?.silentServers)
  const delivery = deliveryText(item, silent)
  const protection = protectionText(item)
  const state = item.protection.state
  const warnings = item.warnings.map((warning) => t(`warning.${warning}`)).join(' ')
  return (
    <span className="meta" dir="ltr">
      {warnings ? (
        <span role="img" className="meta__warning" aria-label={warnings} data-tip={warnings}>
          <TriangleAlert size={13} />
        </span>
      ) : null}
      {item.edited && !item.deleted ? <span>{t('message.edited')}</span> : null}
      {/* A message that can't be read says so in words; a deleted one has nothing left to protect. */}
      {item.deleted || (state !== 'protected' && state !== 'not_encrypted') ? null : (
        <span role="img" aria-label={protection} data-tip={protection} data-protection={state}>
          {state === 'not_encrypted' ? <LockOpen size={12} /> : <LockKeyhole size={11} />}
        </span>
      )}
      <time dateTime={new Date(item.time).toISOString()} data-tip={fullTime(item.time)}>
        {clockTime(item.time)}
      </time>
      {item.delivery !== null && delivery !== null && !item.deleted ? (
        <span role="img" aria-label={delivery} data-tip={delivery} data-delivery={item.delivery}>
          {ticks[item.delivery]}
        </span>
      ) : null}
    </span>
  )
}
