/**
 * What devices say they have stored. Written behind, in batches: forgetting an acknowledgement only
 * keeps delivered things a little longer, so it isn't worth a flush to disk each.
 */
import type { Storage, Tx } from '../storage/index.ts'

const FLUSH_MS = 2000

export interface Acks {
  seen(member: string, device: string, now: number): void
  /**
   * `position` and everything before it is safe on the device; through windows: of the rooms that they
   * have shown.
   */
  stored(member: string, device: string, position: number, through?: 'windows'): void
  flush(): Promise<void>
  /** Flushes and stops. */
  close(): Promise<void>
}

interface Pending {
  readonly member: string
  readonly device: string
  seen: number | null
  stored: number | null
  windows: boolean
}

/** `after` as in the world. */
export function createAcks(
  storage: Storage,
  after: (ms: number, work: () => void) => () => void,
): Acks {
  let pending = new Map<string, Pending>()
  let callOff: (() => void) | null = null

  function note(member: string, device: string): Pending {
    const key = `${member}/${device}`
    const known = pending.get(key) ?? {
      member,
      device,
      seen: null,
      stored: null,
      windows: false,
    }
    pending.set(key, known)
    callOff ??= after(FLUSH_MS, () => void flush().catch(() => undefined))
    return known
  }

  async function flush(): Promise<void> {
    callOff?.()
    callOff = null
    if (pending.size === 0) return
    const batch = [...pending.values()]
    pending = new Map()
    await storage.write(async (tx) => {
      for (const entry of batch) await apply(tx, entry)
    })
  }

  return {
    seen(member, device, now) {
      note(member, device).seen = now
    },
    stored(member, device, position, through) {
      const entry = note(member, device)
      // In a mixed batch the one who keeps more is right.
      entry.windows ||= through === 'windows'
      entry.stored = Math.max(entry.stored ?? 0, position)
    },
    flush,
    close: flush,
  }
}

async function apply(tx: Tx, { member, device, seen, stored, windows }: Pending): Promise<void> {
  const known = await tx.devices.get(member, device)
  if (known === undefined || known.status === 'removed') return
  if (seen !== null) await tx.devices.update(member, device, { last_seen: seen })
  if (stored === null || stored <= known.acked) return
  await tx.devices.update(member, device, { acked: stored })
  // Wraps from before the device's first sync may not have been shown yet: they age out instead.
  if (windows) await tx.wraps.dropShown(member, device, known.acked, stored)
  else await tx.wraps.dropBetween(member, device, known.baseline, stored)
  await tx.toDevice.drop(member, device, stored)
  const devices = await tx.devices.list(member)
  const floor = Math.min(
    ...devices.filter((own) => own.status !== 'removed').map((own) => own.acked),
  )
  if (floor > 0 && Number.isFinite(floor)) {
    await tx.accounts.raiseFeedFloor(member, floor)
    await tx.streams.prune(member, floor)
  }
}
