/**
 * Whom of a manifest to trust yet (Recovery §10): a function of what this party saw when.
 *
 * Waits run from each party's own first sight of an entry, never from a time someone else states. They
 * say who gets wraps; they are never a rule of validity. The account's home node uses the same times to
 * refuse an entry that comes too early.
 */
import { BY_RECOVERY } from './manifest-entry.ts'
import { activeDevices } from './manifest-state.ts'
import type { ManifestState, ManifestStep } from './manifest-state.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** From a request by the recovery key alone to its activation. */
export const RECOVERY_WAIT = 48 * HOUR
/** From a veto to the next request that counts. */
export const VETO_PAUSE = 7 * DAY
/** From a replacement of the recovery key by a device alone to its activation. */
export const REPLACEMENT_WAIT = 7 * DAY
/** From a removal to the last moment it can be contested. */
export const CONTEST_WINDOW = 7 * DAY

/**
 * When this party first saw an entry, in milliseconds; `null` for one that it sees only now. Entries
 * that were there when the account was pinned count as seen at 0: without an earlier pin there is
 * nothing that a wait could defend.
 */
export type FirstSight = (entryHash: string) => number | null

export interface WaitingRequest {
  readonly request: string
  /** Milliseconds; before this an `activate` that needs the wait does not count. */
  readonly activeFrom: number
}

export interface ManifestTrust {
  /** Active devices that may be wrapped to and believed. */
  readonly trusted: ReadonlySet<string>
  /** Active devices that are not trusted yet, with the time in milliseconds; `Infinity`: never. */
  readonly waiting: ReadonlyMap<string, number>
  readonly pendingDevice: (WaitingRequest & { readonly device: string }) | null
  readonly pendingRecovery: WaitingRequest | null
  /** Before this, in milliseconds, a new `recover_device` comes too soon after a veto. */
  readonly nextRequestFrom: number
}

export function manifestTrust(
  state: ManifestState,
  firstSight: FirstSight,
  now: number,
): ManifestTrust {
  const times = new TrustTimes((hash) => firstSight(hash) ?? now)
  for (const step of state.steps) times.take(step)
  const trusted = new Set<string>()
  const waiting = new Map<string, number>()
  for (const { id } of activeDevices(state)) {
    const from = times.deviceFrom(id)
    if (from <= now) trusted.add(id)
    else waiting.set(id, from)
  }
  const { pendingDevice, pendingRecovery } = state
  return {
    trusted,
    waiting,
    pendingDevice: pendingDevice && {
      request: pendingDevice.request,
      device: pendingDevice.device,
      activeFrom: times.requestFrom(pendingDevice.request),
    },
    pendingRecovery: pendingRecovery && {
      request: pendingRecovery.request,
      activeFrom: times.requestFrom(pendingRecovery.request),
    },
    nextRequestFrom: times.nextRequestFrom,
  }
}

export type SequencingCode =
  /** Its wait is not over, or the pause after a veto. */
  | 'too_early'
  /** A contest after its window. */
  | 'too_late'

/**
 * Whether the home node of the account puts an entry into the log now (Identity §2): it enforces by its own
 * first sights what peers only weigh. `before`: the log without the entry; `after`: with it. Not a rule
 * of validity: a log that another node has sequenced is judged by `manifestTrust` alone.
 */
export function sequencingRefusal(
  before: ManifestState,
  after: ManifestState,
  firstSight: FirstSight,
  now: number,
): SequencingCode | null {
  const step = after.steps.at(-1)
  if (step === undefined) return null
  const trust = manifestTrust(before, firstSight, now)
  switch (step.kind) {
    case 'recover_device':
      return now < trust.nextRequestFrom ? 'too_early' : null
    case 'activate': {
      // A device that lets a device in ends the wait; a recovery key waits whoever speaks for it.
      if (step.admits !== null && step.by !== BY_RECOVERY) return null
      const waits = step.admits === null ? trust.pendingRecovery : trust.pendingDevice
      return waits !== null && now < waits.activeFrom ? 'too_early' : null
    }
    case 'contest': {
      const removed = firstSight(step.about ?? '') ?? now
      return now - removed < CONTEST_WINDOW ? null : 'too_late'
    }
    default:
      return null
  }
}

/** From when on each device, request and recovery key counts. */
class TrustTimes {
  readonly #seen: (hash: string) => number
  readonly #devices = new Map<string, number>()
  readonly #requests = new Map<string, number>()
  #recovery = 0
  nextRequestFrom = 0

  constructor(seen: (hash: string) => number) {
    this.#seen = seen
  }

  deviceFrom(id: string): number {
    return this.#devices.get(id) ?? Infinity
  }

  requestFrom(hash: string): number {
    return this.#requests.get(hash) ?? Infinity
  }

  take(step: ManifestStep): void {
    const author = step.by === BY_RECOVERY ? this.#recovery : this.deviceFrom(step.by)
    const seen = this.#seen(step.hash)
    switch (step.kind) {
      case 'genesis':
        this.#admit(step, 0)
        break
      case 'add_device':
        // What a waiting device lets in waits with it.
        this.#admit(step, author)
        break
      case 'recover_device':
        this.#requests.set(
          step.hash,
          Math.max(seen, this.nextRequestFrom, this.#recovery) + RECOVERY_WAIT,
        )
        break
      case 'replace_recovery':
        this.#requests.set(step.hash, Math.max(seen, author) + REPLACEMENT_WAIT)
        if (step.withOldRecovery) this.#recovery = Math.max(this.#recovery, author)
        break
      case 'activate':
        this.#activate(step, author)
        break
      case 'veto':
        // A withdrawal by the recovery key itself is no veto.
        if (step.by !== BY_RECOVERY && step.removes.length > 0)
          this.nextRequestFrom = Math.max(this.nextRequestFrom, seen + VETO_PAUSE)
        break
      case 'contest': {
        const inTime = seen - this.#seen(step.about ?? '') < CONTEST_WINDOW
        this.#admit(step, inTime ? Math.max(author, this.#recovery) : Infinity)
        break
      }
      case 'remove_device':
      case 'heal':
      case 'epoch':
        break
    }
  }

  #activate(step: ManifestStep, author: number): void {
    const waited = this.requestFrom(step.about ?? '')
    if (step.admits === null) this.#recovery = Math.max(waited, author)
    else if (step.by === BY_RECOVERY) this.#admit(step, waited)
    // Approval by a device that was trusted before the request ends the wait.
    else this.#admit(step, author)
  }

  #admit(step: ManifestStep, from: number): void {
    if (step.admits !== null) this.#devices.set(step.admits, from)
  }
}
