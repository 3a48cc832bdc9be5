/** What grows old: ended tokens, answers nobody will ask for again, wraps nobody fetched. */
import { failure } from './log.ts'
import type { Context } from './context.ts'

const EVERY_MS = 60 * 60 * 1000
const DAY_MS = 24 * 60 * 60 * 1000
const TXNS_KEPT_MS = 90 * DAY_MS
const CLAIMED_PREKEYS_KEPT_MS = 60 * DAY_MS
/** Wraps from before a device's first sync, which no position ever passes. */
const WRAPS_KEPT_MS = 90 * DAY_MS

export async function tidy({ storage, now }: Pick<Context, 'storage' | 'now'>): Promise<void> {
  const time = now()
  await storage.write(async (tx) => {
    await tx.devices.dropExpiredTokens(time)
    await tx.txns.dropBefore(time - TXNS_KEPT_MS)
    await tx.prekeys.forgetClaimed(time - CLAIMED_PREKEYS_KEPT_MS)
    const old = await tx.streams.positionAt(time - WRAPS_KEPT_MS)
    if (old !== null) await tx.wraps.dropBefore(old)
  })
}

export function startHousekeeping(context: Context): () => void {
  const timer = setInterval(() => {
    tidy(context).catch((error: unknown) => context.log.error(failure(error), 'housekeeping'))
  }, EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}
