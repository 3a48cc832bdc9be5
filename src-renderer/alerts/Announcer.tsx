import { useApp } from '../store/react.ts'

/** The one live region; every spoken message goes through here. */
export function Announcer() {
  const { text, turn } = useApp((state) => state.announcement)
  return (
    <div className="unseen" role="status" aria-live="polite" aria-atomic="true">
      {/* A new key makes a repeated text count as a change. */}
      <span key={turn}>{text}</span>
    </div>
  )
}
