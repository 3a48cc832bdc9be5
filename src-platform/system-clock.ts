/** The Clock port over the system's clock and timers. Pending callbacks keep the process alive. */
import type { Clock } from '../src-shared/client/index.ts'

export function createSystemClock(): Clock {
  return {
    now: () => Date.now(),
    after(ms, callback) {
      const timer = setTimeout(callback, ms)
      return () => clearTimeout(timer)
    },
  }
}
