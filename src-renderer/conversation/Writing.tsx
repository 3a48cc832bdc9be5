import { useApp } from '../store/react.ts'
import { writingText } from '../text/messages.ts'

/** Who is writing, on a line that is always there, so that nothing moves when they begin. */
export function Writing({ room }: { room: string }) {
  const names = useApp((state) => state.typing[room])
  const text = writingText(names ?? [])
  return (
    <p className="writing truncate" data-on={text !== ''} dir="auto">
      {text}
    </p>
  )
}
