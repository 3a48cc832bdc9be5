/**
 * Which manifest entry may follow which state, and what it changes (Identity §2, Recovery §10).
 *
 * Structure only, the same for every node and peer: no clock and no signature is looked at here.
 * `ruleFor` names the signatures an entry needs and the keys it brings; the caller checks both.
 */
import type {
  DeviceKeys,
  EntryRole,
  EntrySignatures,
  ManifestEntry,
  RecoveryKeys,
} from './manifest-entry.ts'
import { BY_RECOVERY, MAX_ACTIVE_DEVICES } from './manifest-entry.ts'
import type {
  ManifestDevice,
  ManifestErrorCode,
  ManifestState,
  ManifestStep,
} from './manifest-state.ts'

type Genesis = Extract<ManifestEntry, { kind: 'genesis' }>
export type LaterEntry = Exclude<ManifestEntry, Genesis>
type Entry<K extends LaterEntry['kind']> = Extract<LaterEntry, { kind: K }>

/** A signature that must be there; `key` is the Ed25519 public key as base64url. */
interface NeededSignature {
  readonly role: EntryRole
  readonly key: string
}

export interface Rule {
  readonly needs: readonly NeededSignature[]
  readonly brings: { readonly device?: DeviceKeys; readonly recovery?: RecoveryKeys }
  readonly state: ManifestState
}

export type RuleResult = Rule | ManifestErrorCode

/** The state after a genesis entry whose hash is `hash`. */
export function genesisRule(entry: Genesis, hash: string): RuleResult {
  if (entry.by !== entry.device.id) return 'not_allowed'
  const step: ManifestStep = {
    hash,
    kind: 'genesis',
    by: entry.by,
    admits: entry.device.id,
    removes: [],
    about: null,
    withOldRecovery: false,
    heads: [],
  }
  return {
    // `by` is at once the first device's proof of possession.
    needs: [
      { role: 'by', key: entry.device.ed25519 },
      { role: 'new_recovery', key: entry.recovery.ed25519 },
    ],
    brings: { device: entry.device, recovery: entry.recovery },
    state: {
      fingerprint: hash,
      userId: entry.user_id,
      bot: entry.bot,
      head: hash,
      height: 0,
      devices: new Map([[entry.device.id, device(entry.device, 'active', 0)]]),
      recovery: entry.recovery,
      pendingDevice: null,
      pendingRecovery: null,
      usedKeys: new Set(),
      steps: [step],
    },
  }
}

/** The state after `entry`, whose account, height and prev the caller has compared with `state`. */
export function ruleFor(
  state: ManifestState,
  entry: LaterEntry,
  hash: string,
  signatures: EntrySignatures,
): RuleResult {
  const draft = new Draft(state, entry, hash)
  const needs: NeededSignature[] = []
  if (entry.by === BY_RECOVERY) {
    needs.push({ role: 'recovery', key: state.recovery.ed25519 })
  } else {
    const author = state.devices.get(entry.by)
    if (author === undefined) return 'unknown_device'
    // Only `contest` is signed by a device that is no longer active.
    if (entry.kind !== 'contest' && author.status !== 'active') return 'device_not_active'
    needs.push({ role: 'by', key: author.ed25519 })
  }

  switch (entry.kind) {
    case 'add_device': {
      needs.push({ role: 'device', key: entry.device.ed25519 })
      return draft.finish(draft.bring(entry.device, 'active'), needs, { device: entry.device })
    }
    case 'remove_device':
      return draft.finish(draft.remove(entry.devices), needs)
    case 'replace_recovery': {
      needs.push({ role: 'new_recovery', key: entry.recovery.ed25519 })
      const brings = { recovery: entry.recovery }
      if (signatures.recovery === undefined)
        return draft.finish(draft.askForRecovery(entry), needs, brings)
      needs.push({ role: 'recovery', key: state.recovery.ed25519 })
      return draft.finish(draft.replaceWithOldRecovery(entry.recovery), needs, brings)
    }
    case 'recover_device': {
      if (state.pendingDevice !== null) return 'request_pending'
      needs.push({ role: 'device', key: entry.device.ed25519 })
      return draft.finish(draft.bring(entry.device, 'pending'), needs, { device: entry.device })
    }
    case 'activate':
      return draft.finish(draft.activate(entry), needs)
    case 'veto':
      return draft.finish(draft.veto(entry), needs)
    case 'heal':
      return draft.finish(draft.heal(entry), needs)
    case 'contest': {
      needs.push({ role: 'recovery', key: state.recovery.ed25519 })
      return draft.finish(draft.contest(entry), needs)
    }
    case 'epoch':
      return draft.finish(null, needs)
  }
}

/** The state under construction. Each operation answers `null` or why it may not be. */
class Draft {
  readonly #before: ManifestState
  readonly #entry: LaterEntry
  readonly #hash: string
  readonly #devices: Map<string, ManifestDevice>
  #recovery: RecoveryKeys
  #pendingDevice: ManifestState['pendingDevice']
  #pendingRecovery: ManifestState['pendingRecovery']
  #admits: string | null = null
  #removes: readonly string[] = []
  #about: string | null = null
  #withOldRecovery = false
  #heads: readonly string[] = []

  constructor(before: ManifestState, entry: LaterEntry, hash: string) {
    this.#before = before
    this.#entry = entry
    this.#hash = hash
    this.#devices = new Map(before.devices)
    this.#recovery = before.recovery
    this.#pendingDevice = before.pendingDevice
    this.#pendingRecovery = before.pendingRecovery
  }

  bring(keys: DeviceKeys, status: 'active' | 'pending'): ManifestErrorCode | null {
    if (this.#devices.has(keys.id)) return 'reused_device_id'
    this.#devices.set(keys.id, device(keys, status, this.#entry.height))
    this.#admits = keys.id
    if (status === 'pending')
      this.#pendingDevice = {
        request: this.#hash,
        device: keys.id,
        height: this.#entry.height,
      }
    return null
  }

  remove(ids: readonly string[]): ManifestErrorCode | null {
    if (new Set(ids).size !== ids.length) return 'duplicate_device'
    for (const id of ids) {
      const found = this.#devices.get(id)
      if (found === undefined) return 'unknown_device'
      if (found.status !== 'active') return 'device_not_active'
    }
    this.#markRemoved(ids)
    return null
  }

  askForRecovery(entry: Entry<'replace_recovery'>): ManifestErrorCode | null {
    if (this.#pendingRecovery !== null) return 'request_pending'
    this.#pendingRecovery = { request: this.#hash, recovery: entry.recovery, by: entry.by }
    return null
  }

  replaceWithOldRecovery(keys: RecoveryKeys): null {
    this.#withOldRecovery = true
    return this.#replaceRecovery(keys)
  }

  #replaceRecovery(keys: RecoveryKeys): null {
    this.#recovery = keys
    this.#pendingRecovery = null
    // A waiting device was asked for by the key that has just lost its say.
    if (this.#pendingDevice !== null) this.#markRemoved([this.#pendingDevice.device])
    return null
  }

  activate(entry: Entry<'activate'>): ManifestErrorCode | null {
    this.#about = entry.request
    const waiting = this.#pendingDevice
    if (waiting?.request === entry.request) {
      const author = this.#devices.get(entry.by)
      // Approval counts only from a device that was there before the request.
      if (entry.by !== BY_RECOVERY && (author === undefined || author.addedAt >= waiting.height))
        return 'not_allowed'
      const found = this.#devices.get(waiting.device)
      if (found === undefined) return 'unknown_device'
      this.#devices.set(found.id, { ...found, status: 'active' })
      this.#admits = found.id
      this.#pendingDevice = null
      return null
    }
    if (this.#pendingRecovery?.request !== entry.request) return 'unknown_request'
    if (entry.by === BY_RECOVERY) return 'not_allowed'
    return this.#replaceRecovery(this.#pendingRecovery.recovery)
  }

  veto(entry: Entry<'veto'>): ManifestErrorCode | null {
    this.#about = entry.request
    if (this.#pendingDevice?.request === entry.request) {
      this.#markRemoved([this.#pendingDevice.device])
      return null
    }
    if (this.#pendingRecovery?.request !== entry.request) return 'unknown_request'
    // Otherwise whoever stole the words could forbid their replacement for ever.
    if (entry.by === BY_RECOVERY) return 'not_allowed'
    this.#pendingRecovery = null
    return null
  }

  heal(entry: Entry<'heal'>): ManifestErrorCode | null {
    this.#heads = entry.heads
    if (new Set(entry.heads).size !== 2 || !entry.heads.includes(entry.prev)) return 'wrong_heads'
    if (entry.devices.includes(entry.by)) return 'not_allowed'
    return this.remove(entry.devices)
  }

  contest(entry: Entry<'contest'>): ManifestErrorCode | null {
    this.#about = entry.removal
    const author = this.#devices.get(entry.by)
    if (author === undefined) return 'unknown_device'
    if (author.status !== 'removed' || author.removedAt === null) return 'device_not_removed'
    const removal = this.#before.steps[author.removedAt]
    if (removal?.hash !== entry.removal) return 'unknown_request'
    // A vetoed request was never active: a veto can't be undone this way.
    if (!['remove_device', 'contest', 'heal'].includes(removal.kind)) return 'not_allowed'
    if (new Set(entry.devices).size !== entry.devices.length) return 'duplicate_device'
    for (const id of entry.devices) {
      const found = this.#devices.get(id)
      if (found === undefined) return 'unknown_device'
      if (found.status === 'removed') return 'device_not_active'
    }
    this.#markRemoved(entry.devices)
    this.#devices.set(author.id, { ...author, status: 'active' })
    this.#admits = author.id
    return null
  }

  finish(
    refused: ManifestErrorCode | null,
    needs: readonly NeededSignature[],
    brings: Rule['brings'] = {},
  ): RuleResult {
    if (refused !== null) return refused
    const active = [...this.#devices.values()].filter((found) => found.status === 'active')
    if (active.length > MAX_ACTIVE_DEVICES) return 'too_many_devices'
    const step: ManifestStep = {
      hash: this.#hash,
      kind: this.#entry.kind,
      by: this.#entry.by,
      admits: this.#admits,
      removes: this.#removes,
      about: this.#about,
      withOldRecovery: this.#withOldRecovery,
      heads: this.#heads,
    }
    const state: ManifestState = {
      ...this.#before,
      head: this.#hash,
      height: this.#entry.height,
      devices: this.#devices,
      recovery: this.#recovery,
      pendingDevice: this.#pendingDevice,
      pendingRecovery: this.#pendingRecovery,
      steps: [...this.#before.steps, step],
    }
    return { needs, brings, state }
  }

  #markRemoved(ids: readonly string[]): void {
    for (const id of ids) {
      const found = this.#devices.get(id)
      if (found === undefined) continue
      this.#devices.set(id, { ...found, status: 'removed', removedAt: this.#entry.height })
      if (this.#pendingDevice?.device === id) this.#pendingDevice = null
      if (this.#pendingRecovery?.by === id) this.#pendingRecovery = null
    }
    this.#removes = [...this.#removes, ...ids]
  }
}

function device(keys: DeviceKeys, status: 'active' | 'pending', height: number): ManifestDevice {
  const { id, ed25519, x25519, min_suite } = keys
  return { id, ed25519, x25519, min_suite, status, addedAt: height, removedAt: null }
}
