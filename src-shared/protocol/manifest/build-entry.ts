/**
 * Making manifest entries (Identity §2).
 *
 * `draft…` gives the unsigned entry, so that another party (the new device, the holder of the recovery
 * words) can sign the very same bytes with `signEntry`; the others sign where all keys are at hand.
 * A draft stands on one head: when the node refuses it because the head moved, draft and sign again.
 */
import { requireLength } from '../crypto.ts'
import type { Crypto } from '../crypto.ts'
import { toBase64Url } from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { BY_RECOVERY, signEntry } from './manifest-entry.ts'
import type { DeviceKeys, RecoveryKeys, SignedEntry } from './manifest-entry.ts'
import type { ManifestState } from './manifest-state.ts'
import { recoveryKeysOf } from './recovery-words.ts'
import type { RecoverySecrets } from './recovery-words.ts'

/** A device's secret halves: an Ed25519 seed and an X25519 scalar, 32 bytes each. */
export interface DeviceSecrets {
  readonly id: string
  readonly ed25519: Uint8Array
  readonly x25519: Uint8Array
  readonly minSuite: number
}

/** The signing device of an entry. */
export interface EntryAuthor {
  readonly id: string
  readonly ed25519: Uint8Array
}

export function newDeviceId(random: (length: number) => Uint8Array): string {
  return toBase64Url(random(12))
}

export function deviceKeysOf(crypto: Crypto, secrets: DeviceSecrets): DeviceKeys {
  return {
    id: secrets.id,
    ed25519: toBase64Url(crypto.ed25519PublicKey(secrets.ed25519)),
    x25519: toBase64Url(crypto.x25519PublicKey(secrets.x25519)),
    min_suite: secrets.minSuite,
  }
}

export interface GenesisParameters {
  readonly userId: string
  /** 32 random bytes. */
  readonly nonce: Uint8Array
  readonly device: DeviceSecrets
  readonly recovery: RecoverySecrets
  readonly bot: boolean
}

export function createGenesis(crypto: Crypto, parameters: GenesisParameters): SignedEntry {
  const { userId, nonce, device, recovery, bot } = parameters
  requireLength(nonce, 32)
  const entry: JsonObject = {
    v: 1,
    kind: 'genesis',
    account: null,
    height: 0,
    prev: null,
    by: device.id,
    user_id: userId,
    nonce: toBase64Url(nonce),
    device: deviceKeysOf(crypto, device),
    recovery: recoveryKeysOf(crypto, recovery),
    bot,
  }
  return {
    entry,
    signatures: {
      by: signEntry(crypto, 'by', device.ed25519, entry),
      new_recovery: signEntry(crypto, 'new_recovery', recovery.ed25519, entry),
    },
  }
}

/** The new device signs the draft in the role `device`, the adding one in the role `by`. */
export function draftAddDevice(state: ManifestState, by: string, device: DeviceKeys): JsonObject {
  return next(state, by, 'add_device', { device: deviceFields(device) })
}

/** `possession`: the new device's signature over `draft`, made with `signEntry(…, 'device', …)`. */
export function addDevice(
  crypto: Crypto,
  draft: JsonObject,
  author: EntryAuthor,
  possession: string,
): SignedEntry {
  return {
    entry: draft,
    signatures: { by: signEntry(crypto, 'by', author.ed25519, draft), device: possession },
  }
}

export function removeDevices(
  crypto: Crypto,
  state: ManifestState,
  author: EntryAuthor,
  devices: readonly string[],
  reason?: string,
): SignedEntry {
  const fields = reason === undefined ? { devices } : { devices, reason }
  return byDevice(crypto, author, next(state, author.id, 'remove_device', fields))
}

/** At once with `oldRecovery`; without it the entry asks and 7 days pass before `activate`. */
export function replaceRecovery(
  crypto: Crypto,
  state: ManifestState,
  author: EntryAuthor,
  newRecovery: RecoverySecrets,
  oldRecovery: RecoverySecrets | null,
): SignedEntry {
  const recovery: RecoveryKeys = recoveryKeysOf(crypto, newRecovery)
  const entry = next(state, author.id, 'replace_recovery', { recovery })
  const { signatures } = byDevice(crypto, author, entry)
  const proved = {
    ...signatures,
    new_recovery: signEntry(crypto, 'new_recovery', newRecovery.ed25519, entry),
  }
  if (oldRecovery === null) return { entry, signatures: proved }
  const recoverySignature = signEntry(crypto, 'recovery', oldRecovery.ed25519, entry)
  return { entry, signatures: { ...proved, recovery: recoverySignature } }
}

/** The request that waits 48 hours (Recovery §10). Made on the device that wants in. */
export function recoverDevice(
  crypto: Crypto,
  state: ManifestState,
  device: DeviceSecrets,
  recovery: RecoverySecrets,
): SignedEntry {
  const keys = deviceKeysOf(crypto, device)
  const entry = next(state, BY_RECOVERY, 'recover_device', { device: deviceFields(keys) })
  return {
    entry,
    signatures: {
      recovery: signEntry(crypto, 'recovery', recovery.ed25519, entry),
      device: signEntry(crypto, 'device', device.ed25519, entry),
    },
  }
}

/** `by`: a device that approves (or ends a replacement's wait), or the recovery key after the wait. */
export function activateRequest(
  crypto: Crypto,
  state: ManifestState,
  by: EntryAuthor | RecoverySecrets,
  request: string,
): SignedEntry {
  return byEither(crypto, state, by, 'activate', request)
}

export function vetoRequest(
  crypto: Crypto,
  state: ManifestState,
  by: EntryAuthor | RecoverySecrets,
  request: string,
): SignedEntry {
  return byEither(crypto, state, by, 'veto', request)
}

/** `otherHead`: the head of the branch that is given up; `devices`: what to remove of this one. */
export function healFork(
  crypto: Crypto,
  state: ManifestState,
  author: EntryAuthor,
  otherHead: string,
  devices: readonly string[],
): SignedEntry {
  const heads = [state.head, otherHead]
  return byDevice(crypto, author, next(state, author.id, 'heal', { heads, devices }))
}

/** `author`: the removed device; `removal`: hash of the entry that removed it. */
export function contestRemoval(
  crypto: Crypto,
  state: ManifestState,
  author: EntryAuthor,
  recovery: RecoverySecrets,
  removal: string,
  devices: readonly string[],
): SignedEntry {
  const entry = next(state, author.id, 'contest', { removal, devices })
  const { signatures } = byDevice(crypto, author, entry)
  const recoverySignature = signEntry(crypto, 'recovery', recovery.ed25519, entry)
  return { entry, signatures: { ...signatures, recovery: recoverySignature } }
}

function next(state: ManifestState, by: string, kind: string, fields: JsonObject): JsonObject {
  return {
    v: 1,
    kind,
    account: state.fingerprint,
    height: state.height + 1,
    prev: state.head,
    by,
    ...fields,
  }
}

function byDevice(crypto: Crypto, author: EntryAuthor, entry: JsonObject): SignedEntry {
  return { entry, signatures: { by: signEntry(crypto, 'by', author.ed25519, entry) } }
}

function byEither(
  crypto: Crypto,
  state: ManifestState,
  by: EntryAuthor | RecoverySecrets,
  kind: string,
  request: string,
): SignedEntry {
  if ('id' in by) return byDevice(crypto, by, next(state, by.id, kind, { request }))
  const entry = next(state, BY_RECOVERY, kind, { request })
  return { entry, signatures: { recovery: signEntry(crypto, 'recovery', by.ed25519, entry) } }
}

/** Only the fields that belong into an entry, whatever else the object carries. */
function deviceFields({ id, ed25519, x25519, min_suite }: DeviceKeys): DeviceKeys {
  return { id, ed25519, x25519, min_suite }
}
