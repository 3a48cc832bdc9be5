/** Whether the clock of this machine runs on as time does; it may be set forward or back at any moment. */
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

const LOOK_MS = 1000
/** What adjusting a clock by and by never comes to. */
const JUMP_MS = 3000

interface ClockWatchParts {
  readonly now: () => number
  readonly log: Log
  readonly metrics: Metrics
}

export interface ClockWatch {
  /** As the clock would stand had it not been set since this process began; milliseconds. */
  steady(): number
  close(): void
}

export function watchClock({ now, log, metrics }: ClockWatchParts): ClockWatch {
  const began = now() - performance.now()
  let before = began
  const timer = setInterval(() => {
    const at = now() - performance.now()
    const jump = at - before
    before = at
    if (Math.abs(jump) < JUMP_MS) return
    metrics.clockJumped(jump > 0 ? 'forward' : 'back')
    log.warn({ seconds: Math.round(jump / 1000) }, 'the clock was set')
  }, LOOK_MS).unref()
  return {
    steady: () => began + performance.now(),
    close: () => clearInterval(timer),
  }
}
