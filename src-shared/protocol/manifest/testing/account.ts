/** Accounts for manifest tests: every secret derived from a number, so that runs repeat. */
import { crypto } from '../../testing/crypto.ts'
import type { JsonObject } from '../../encoding/index.ts'
import {
  addDevice,
  appendEntry,
  createGenesis,
  deviceKeysOf,
  draftAddDevice,
  newDeviceId,
  recoverySecretsFromEntropy,
  signEntry,
  verifyManifest,
} from '../index.ts'
import type {
  DeviceSecrets,
  EntryAuthor,
  EntrySignatures,
  ManifestErrorCode,
  ManifestState,
  RecoverySecrets,
  SignedEntry,
} from '../index.ts'

export { crypto }

export const secretOf = (name: string): Uint8Array =>
  crypto.sha256(Uint8Array.from(name, (letter) => letter.charCodeAt(0)))

export const device = (name: string): DeviceSecrets => ({
  id: newDeviceId((length) => secretOf(`id of ${name}`).subarray(0, length)),
  ed25519: secretOf(`signing key of ${name}`),
  x25519: secretOf(`agreement key of ${name}`),
  minSuite: 1,
})

export const words = (name: string): RecoverySecrets =>
  recoverySecretsFromEntropy(crypto, secretOf(`words of ${name}`))

export function genesis(first = device('first'), recovery = words('old')): SignedEntry {
  return createGenesis(crypto, {
    userId: '@alice:example.org',
    nonce: secretOf('nonce'),
    device: first,
    recovery,
    bot: false,
  })
}

export function begin(): ManifestState {
  const result = verifyManifest(crypto, [genesis()])
  if (!result.ok) throw new Error(result.code)
  return result.state
}

export function add(state: ManifestState, by: EntryAuthor, added: DeviceSecrets): SignedEntry {
  const draft = draftAddDevice(state, by.id, deviceKeysOf(crypto, added))
  return addDevice(crypto, draft, by, signEntry(crypto, 'device', added.ed25519, draft))
}

/** The state after entries that must all be accepted. */
export function after(
  state: ManifestState,
  ...make: readonly ((state: ManifestState) => SignedEntry)[]
): ManifestState {
  return make.reduce((before, next) => {
    const result = appendEntry(crypto, before, next(before))
    if (!result.ok) throw new Error(`${result.code} at ${result.height}`)
    return result.state
  }, state)
}

/** Why the entry is refused, or `accepted`. */
export function verdict(state: ManifestState, signed: SignedEntry): ManifestErrorCode | 'accepted' {
  const result = appendEntry(crypto, state, signed)
  return result.ok ? 'accepted' : result.code
}

/** An entry with fields of the test's choosing, signed in the named roles. */
export function craft(
  state: ManifestState,
  fields: JsonObject,
  signers: Readonly<Partial<Record<keyof EntrySignatures, Uint8Array>>>,
): SignedEntry {
  const entry: JsonObject = {
    v: 1,
    account: state.fingerprint,
    height: state.height + 1,
    prev: state.head,
    ...fields,
  }
  const signatures: Record<string, string> = {}
  for (const role of ['by', 'device', 'recovery', 'new_recovery'] as const) {
    const secret = signers[role]
    if (secret !== undefined) signatures[role] = signEntry(crypto, role, secret, entry)
  }
  return { entry, signatures }
}
