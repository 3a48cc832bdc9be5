/** Counts per key and window of time, in memory: a restart forgives. */
import type { Limit } from './config.ts'

const MAX_KEYS = 100_000

export interface Quota {
  /** False when the key has had its share. */
  take(key: string, now: number): boolean
}

export function createQuota(limit: Limit | null): Quota {
  if (limit === null) return { take: () => true }
  const windows = new Map<string, { readonly until: number; taken: number }>()
  return {
    take(key, now) {
      let window = windows.get(key)
      // One that ends later than any that begins now is from before the clock was set back.
      if (window === undefined || window.until <= now || window.until > now + limit.windowMs) {
        window = { until: now + limit.windowMs, taken: 0 }
        windows.delete(key)
        windows.set(key, window)
        const [oldest] = windows.keys()
        if (windows.size > MAX_KEYS && oldest !== undefined) windows.delete(oldest)
      }
      window.taken++
      return window.taken <= limit.max
    },
  }
}
