/**
 * What a verified manifest says (Identity §2): a value that only `verifyManifest`, `appendEntry` and
 * `replayStoredManifest` make. It is structure alone; whom to trust yet is `manifest-trust.ts`.
 */
import type { DeviceKeys, ManifestEntryKind, RecoveryKeys } from './manifest-entry.ts'

export type DeviceStatus = 'active' | 'pending' | 'removed'

export interface ManifestDevice extends DeviceKeys {
  /** `pending`: asked for by the recovery key, not yet let in. */
  readonly status: DeviceStatus
  /** Height of the entry that brought the keys. */
  readonly addedAt: number
  /** Height of the entry that removed it last, or `null`. */
  readonly removedAt: number | null
}

/** A `recover_device` that is neither activated nor dead. */
export interface PendingDevice {
  /** Hash of the request entry. */
  readonly request: string
  readonly device: string
  readonly height: number
}

/** A `replace_recovery` without the old key that is neither activated nor dead. */
export interface PendingRecovery {
  readonly request: string
  readonly recovery: RecoveryKeys
  /** The device that asked. */
  readonly by: string
}

/** One accepted entry, reduced to what trust and fork rules ask of it. */
export interface ManifestStep {
  readonly hash: string
  readonly kind: ManifestEntryKind
  /** A device id, or `recovery`. */
  readonly by: string
  /** The device that became active or, in `recover_device`, pending through this entry. */
  readonly admits: string | null
  readonly removes: readonly string[]
  /** The request an `activate` or `veto`, or the removal a `contest`, speaks of. */
  readonly about: string | null
  /** A `replace_recovery` that the old key signed too, and which took effect at once. */
  readonly withOldRecovery: boolean
  /** The heads a `heal` names; empty otherwise. */
  readonly heads: readonly string[]
}

export interface ManifestState {
  readonly fingerprint: string
  readonly userId: string
  readonly bot: boolean
  /** Hash of the last entry. */
  readonly head: string
  /** Height of the last entry; the genesis entry has 0. */
  readonly height: number
  /** By device id, every device there ever was. */
  readonly devices: ReadonlyMap<string, ManifestDevice>
  readonly recovery: RecoveryKeys
  readonly pendingDevice: PendingDevice | null
  readonly pendingRecovery: PendingRecovery | null
  /** Every public key ever named, as base64url: none may come twice. */
  readonly usedKeys: ReadonlySet<string>
  /** By height. */
  readonly steps: readonly ManifestStep[]
}

export type ManifestErrorCode =
  | 'malformed'
  | 'too_large'
  | 'too_many_entries'
  | 'too_many_devices'
  | 'not_genesis'
  | 'wrong_account'
  | 'wrong_height'
  | 'wrong_prev'
  | 'unknown_device'
  | 'device_not_active'
  | 'device_not_removed'
  | 'reused_device_id'
  | 'reused_key'
  | 'bad_key'
  | 'duplicate_device'
  | 'missing_signature'
  | 'unexpected_signature'
  | 'bad_signature'
  | 'unknown_request'
  | 'request_pending'
  | 'not_allowed'
  | 'wrong_heads'

export type ManifestResult =
  | { readonly ok: true; readonly state: ManifestState }
  /** `height`: of the entry that was refused. */
  | { readonly ok: false; readonly code: ManifestErrorCode; readonly height: number }

export function activeDevices(state: ManifestState): readonly ManifestDevice[] {
  return [...state.devices.values()].filter((device) => device.status === 'active')
}

export function activeDevice(state: ManifestState, id: string): ManifestDevice | null {
  const device = state.devices.get(id)
  return device?.status === 'active' ? device : null
}
