/** Arbitration of interruptions: one queue, the tier decides where and how loud. Pure. */
import type { Alert } from '../../src-shared/view-model/index.ts'

export interface Arranged {
  /** Tier 0, else tier 1: at most one at a time takes the screen or blocks. */
  readonly blocking: Alert | null
  /** Tier 2, newest last. */
  readonly banners: readonly Alert[]
  /** Tier 3, of the open room. */
  readonly inRoom: readonly Alert[]
  /** Tier 4. */
  readonly toasts: readonly Alert[]
}

export function arrangeAlerts(alerts: readonly Alert[], openRoom: string | null): Arranged {
  const inOrder = [...alerts].sort((a, b) => a.tier - b.tier || a.time - b.time)
  return {
    blocking: inOrder.find((alert) => alert.tier <= 1) ?? null,
    banners: inOrder.filter((alert) => alert.tier === 2),
    inRoom: inOrder.filter((alert) => alert.tier === 3 && alert.room === openRoom),
    toasts: inOrder.filter((alert) => alert.tier === 4),
  }
}
