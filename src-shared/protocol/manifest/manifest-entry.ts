/**
 * Manifest entries (Identity §2): their shapes, their hash, and one signature label per role.
 *
 * What is hashed and signed are the canonical bytes of the entry as it arrived, unknown fields
 * included; the schemas only read it. Which entry may follow which is not known here.
 */
import { z } from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  canonicalBytes,
  deviceIdSchema,
  fingerprintSchema,
  fromBase64Url,
  isBase64Url,
  jsonSchema,
  labelledHash,
  LABELS,
  signLabelled,
  toBase64Url,
  userIdSchema,
  verifyLabelled,
} from '../encoding/index.ts'
import type { JsonObject, Label } from '../encoding/index.ts'

/** Canonical bytes of one entry, signatures not counted. */
export const MAX_ENTRY_BYTES = 2048
export const MAX_MANIFEST_ENTRIES = 1024
export const MAX_ACTIVE_DEVICES = 16

/** `by` of an entry that the recovery key signs alone. */
export const BY_RECOVERY = 'recovery'

/** The public half of a device as the manifest lists it. */
export const deviceKeysSchema = z.object({
  id: deviceIdSchema,
  /** Signing key, 32 bytes. */
  ed25519: base64UrlSchema(32),
  /** Agreement key, 32 bytes. */
  x25519: base64UrlSchema(32),
  /** The lowest handshake suite the device accepts (Handshake §3). */
  min_suite: z.int().min(1).max(255),
})
export type DeviceKeys = z.infer<typeof deviceKeysSchema>

export const recoveryKeysSchema = z.object({
  ed25519: base64UrlSchema(32),
  x25519: base64UrlSchema(32),
})
export type RecoveryKeys = z.infer<typeof recoveryKeysSchema>

/** A labelled SHA-256 of a manifest entry: a head, a `prev`, the name of a request. */
export const entryHashSchema = base64UrlSchema(32)

const common = {
  v: z.literal(1),
  account: fingerprintSchema,
  height: z
    .int()
    .min(1)
    .max(MAX_MANIFEST_ENTRIES - 1),
  prev: entryHashSchema,
  by: deviceIdSchema,
}
const byRecovery = z.literal(BY_RECOVERY)
const someDevices = z.array(deviceIdSchema).min(1).max(MAX_ACTIVE_DEVICES)

export const manifestEntrySchema = z.discriminatedUnion('kind', [
  z.looseObject({
    ...common,
    kind: z.literal('genesis'),
    account: z.null(),
    height: z.literal(0),
    prev: z.null(),
    user_id: userIdSchema,
    /** 32 random bytes: two accounts never share a fingerprint. */
    nonce: base64UrlSchema(32),
    device: deviceKeysSchema,
    recovery: recoveryKeysSchema,
    bot: z.boolean(),
  }),
  z.looseObject({ ...common, kind: z.literal('add_device'), device: deviceKeysSchema }),
  z.looseObject({
    ...common,
    kind: z.literal('remove_device'),
    devices: someDevices,
    reason: z.string().max(64).exactOptional(),
  }),
  z.looseObject({ ...common, kind: z.literal('replace_recovery'), recovery: recoveryKeysSchema }),
  /** Asks to let a device in by the recovery key alone (Recovery §10). */
  z.looseObject({
    ...common,
    kind: z.literal('recover_device'),
    by: byRecovery,
    device: deviceKeysSchema,
  }),
  /** Ends the wait of `recover_device` or of a `replace_recovery` without the old key. */
  z.looseObject({
    ...common,
    kind: z.literal('activate'),
    by: z.union([deviceIdSchema, byRecovery]),
    request: entryHashSchema,
  }),
  /** Kills a waiting request; by the recovery key itself it is a withdrawal. */
  z.looseObject({
    ...common,
    kind: z.literal('veto'),
    by: z.union([deviceIdSchema, byRecovery]),
    request: entryHashSchema,
  }),
  /** Names both heads of a fork, one of them `prev`, and what to remove of the own branch. */
  z.looseObject({
    ...common,
    kind: z.literal('heal'),
    heads: z.array(entryHashSchema).length(2),
    devices: z.array(deviceIdSchema).max(MAX_ACTIVE_DEVICES),
  }),
  /** By a removed device and the recovery key together: undoes `removal`, removes `devices`. */
  z.looseObject({
    ...common,
    kind: z.literal('contest'),
    removal: entryHashSchema,
    devices: someDevices,
  }),
  /** Anchors the archive (Recovery §10); without effect on devices. */
  z.looseObject({ ...common, kind: z.literal('epoch') }),
])
export type ManifestEntry = z.infer<typeof manifestEntrySchema>
export type ManifestEntryKind = ManifestEntry['kind']

const signatureSchema = base64UrlSchema(64)

/**
 * An entry on the wire. `entry` is kept as it is; `signatures` never take part in its hash. Which of
 * them an entry needs depends on its kind.
 */
export const signedEntrySchema = z.object({
  entry: z.record(z.string(), jsonSchema),
  signatures: z.strictObject({
    /** By the device that `by` names. */
    by: signatureSchema.exactOptional(),
    /** Proof of possession by the device that the entry brings. */
    device: signatureSchema.exactOptional(),
    /** By the account's recovery key as it stood before this entry. */
    recovery: signatureSchema.exactOptional(),
    /** Proof of possession by the recovery key that the entry brings. */
    new_recovery: signatureSchema.exactOptional(),
  }),
})
export interface SignedEntry {
  readonly entry: JsonObject
  readonly signatures: EntrySignatures
}
export interface EntrySignatures {
  readonly by?: string
  readonly device?: string
  readonly recovery?: string
  readonly new_recovery?: string
}
export type EntryRole = keyof EntrySignatures

const ROLE_LABELS: Readonly<Record<EntryRole, Label>> = {
  by: LABELS.manifestBy,
  device: LABELS.manifestPossession,
  recovery: LABELS.manifestRecovery,
  new_recovery: LABELS.manifestNewRecovery,
}

/** 43 characters. The hash of the genesis entry is the account's fingerprint. */
export function manifestEntryHash(crypto: Crypto, entry: JsonObject): string {
  return toBase64Url(labelledHash(crypto, LABELS.manifestEntry, canonicalBytes(entry)))
}

/** One signature over an entry, in one role; `secret` is the Ed25519 seed; base64url. */
export function signEntry(
  crypto: Crypto,
  role: EntryRole,
  secret: Uint8Array,
  entry: JsonObject,
): string {
  return toBase64Url(signLabelled(crypto, secret, ROLE_LABELS[role], canonicalBytes(entry)))
}

/** `publicKey` and `signature` as base64url; `false` for anything malformed. */
export function verifyEntrySignature(
  crypto: Crypto,
  role: EntryRole,
  publicKey: string,
  entryBytes: Uint8Array,
  signature: string,
): boolean {
  if (!isBase64Url(publicKey, 32) || !isBase64Url(signature, 64)) return false
  return verifyLabelled(
    crypto,
    fromBase64Url(publicKey),
    ROLE_LABELS[role],
    entryBytes,
    fromBase64Url(signature),
  )
}
