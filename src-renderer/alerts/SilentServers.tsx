import { Hourglass } from 'lucide-react'
import { useApp } from '../store/react.ts'
import { namesInWords } from '../text/messages.ts'
import { t } from '../text/t.ts'

/** Another server of this conversation does not answer: what is written waits for it. */
export function SilentServers({ room }: { room: string }) {
  const details = useApp((state) => state.details[room])
  const silent = details?.silentServers ?? []
  if (silent.length === 0) return null
  const people = (details?.members ?? [])
    .filter(({ me, server }) => !me && silent.includes(server))
    .map(({ name }) => name)
  return (
    <div className="room-alert room-alert--waiting" role="status">
      <Hourglass size={17} aria-hidden="true" />
      <p>
        {t('conversation.silentServers', {
          count: silent.length,
          servers: namesInWords(silent),
          people: namesInWords(people),
        })}
      </p>
    </div>
  )
}
