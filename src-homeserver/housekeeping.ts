/**
 * What grows old: ended tokens, answers nobody will ask for again, wraps nobody fetched, bodies whose time has
 * come, requests of devices that nobody let in, feeds of devices that never came back.
 */
import { tellAccount } from './accounts.ts'
import { failure } from './log.ts'
import { keepPublicKeys, rotateIfOlder } from './shared-key.ts'
import type { Context } from './context.ts'

const EVERY_MS = 60 * 60 * 1000
const DAY_MS = 24 * 60 * 60 * 1000
const TXNS_KEPT_MS = 90 * DAY_MS
const CLAIMED_PREKEYS_KEPT_MS = 60 * DAY_MS
/** Wraps from before a device's first sync, which no position ever passes. */
const WRAPS_KEPT_MS = 90 * DAY_MS

/** A device that nobody lets in asks again. */
const PENDING_KEPT_MS = 7 * DAY_MS
/** A device away for longer starts anew, instead of keeping everybody's feed. */
const AWAY_MS = 90 * DAY_MS

/** `time`: what is older than so much before it goes. */
export async function tidy(context: Context, time = context.now()): Promise<void> {
  const { storage } = context
  await context.acks.flush()
  await storage.write(async (tx) => {
    await tx.devices.dropExpiredTokens(time)
    await tx.counters.dropEnded(time)
    await tx.txns.dropBefore(time - TXNS_KEPT_MS)
    await tx.federation.forgetItems(time - TXNS_KEPT_MS)
    await tx.prekeys.forgetClaimed(time - CLAIMED_PREKEYS_KEPT_MS)
    const old = await tx.streams.positionAt(time - WRAPS_KEPT_MS)
    if (old !== null) await tx.wraps.dropBefore(old)
    await tx.events.expire(time)
    // The clock was set back: waits begin now, rather than where it once stood.
    await tx.manifests.sightedBy(context.now())
    for (const { member, device } of await tx.devices.pendingSince(time - PENDING_KEPT_MS)) {
      await tx.devices.delete(member, device)
      await tellAccount(context, tx, member)
    }
    for (const { member, acked } of await tx.devices.storedByAll(time - AWAY_MS)) {
      if (acked <= 0) continue
      await tx.accounts.raiseFeedFloor(member, acked)
      await tx.streams.prune(member, acked)
    }
  })
}

export function startHousekeeping(context: Context): () => void {
  const { keyRotationMs } = context.config.federation
  const rotate = async (): Promise<void> => {
    if (keyRotationMs === null) return
    const { config, storage, keys } = context
    if (!(await rotateIfOlder(storage, keys, keyRotationMs, context.now()))) return
    await keepPublicKeys(storage, config.serverName, keys, context.now())
    context.log.info({ key: context.keys.current.keyId }, 'new signing key')
  }
  const failed = (error: unknown): void => context.log.error(failure(error), 'housekeeping')
  const refresh = (): Promise<void> => context.serverKeys.refresh()
  rotate().catch(failed)
  refresh().catch(failed)
  const timer = setInterval(() => {
    rotate().catch(failed)
    refresh().catch(failed)
    // A clock that was set forward must not take what is still wanted.
    tidy(context, Math.min(context.now(), context.clock.steady())).catch(failed)
  }, EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}
