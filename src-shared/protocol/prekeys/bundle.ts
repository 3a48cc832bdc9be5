/**
 * Public prekeys: what a device publishes and what a claimer gets, signed and verified (Handshake §3).
 *
 * A prekey's signature covers its kind (by label), its id and the device it belongs to, so none can be
 * offered as another. Whether the device itself is trusted is the manifest's question: `verifyBundle`
 * compares the bundle with the device the caller already knows and takes no key from the bundle alone.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  bytesEqual,
  canonicalBytes,
  deviceIdSchema,
  fingerprintSchema,
  fromBase64Url,
  LABELS,
  signLabelled,
  toBase64Url,
  verifyLabelled,
} from '../encoding/index.ts'
import type { LocalDevice, PeerDevice } from './device.ts'

/** Bytes of an ML-KEM-768 encapsulation key. */
export const KEM_PUBLIC_KEY_BYTES = 1184

export const prekeyIdSchema = base64UrlSchema(12)

export type PublicPrekey = {
  /** 12 random bytes. */
  readonly id: string
  readonly key: string
  readonly sig: string
}

const publicPrekey = (bytes: number) =>
  z.object({ id: prekeyIdSchema, key: base64UrlSchema(bytes), sig: base64UrlSchema(64) })

export const agreementPrekeySchema = publicPrekey(32)
export const kemPrekeySchema = publicPrekey(KEM_PUBLIC_KEY_BYTES)

export const prekeyBundleSchema = z.object({
  device: z.object({
    member: fingerprintSchema,
    id: deviceIdSchema,
    ed25519: base64UrlSchema(32),
    x25519: base64UrlSchema(32),
    min_suite: z.int().min(1).max(255),
  }),
  signed: agreementPrekeySchema,
  /** Absent where the pool is empty. */
  one_time: agreementPrekeySchema.exactOptional(),
  /** The last-resort KEM prekey. */
  kem: kemPrekeySchema.exactOptional(),
})
export type PrekeyBundle = z.infer<typeof prekeyBundleSchema>

/** What a device hands to its node. Repeating an upload changes nothing: ids are unique. */
export const prekeyUploadSchema = z.object({
  signed: agreementPrekeySchema.exactOptional(),
  kem: kemPrekeySchema.exactOptional(),
  one_time: z.array(agreementPrekeySchema).max(200).exactOptional(),
})
export type PrekeyUpload = z.infer<typeof prekeyUploadSchema>

export type PrekeyKind = 'signed' | 'one_time' | 'kem'

const KIND_LABELS = {
  signed: LABELS.prekeySigned,
  one_time: LABELS.prekeyOneTime,
  kem: LABELS.prekeyKemLastResort,
} as const

export interface PrekeyOwner {
  readonly member: string
  readonly device: string
}

export function signPrekey(
  crypto: Crypto,
  local: LocalDevice,
  kind: PrekeyKind,
  id: string,
  key: string,
): PublicPrekey {
  const sig = signLabelled(
    crypto,
    local.ed25519Secret,
    KIND_LABELS[kind],
    signedBytes(local, id, key),
  )
  return { id, key, sig: toBase64Url(sig) }
}

export function verifyPrekey(
  crypto: Crypto,
  ed25519: Uint8Array,
  owner: PrekeyOwner,
  kind: PrekeyKind,
  prekey: PublicPrekey,
): boolean {
  const bytes = signedBytes(owner, prekey.id, prekey.key)
  return verifyLabelled(crypto, ed25519, KIND_LABELS[kind], bytes, fromBase64Url(prekey.sig))
}

export type BundleErrorCode =
  /** Not the device asked for, or other keys than its manifest states. */
  'wrong_device' | 'bad_signed_prekey' | 'bad_one_time_prekey' | 'bad_kem_prekey'

/** `bundle` has passed `prekeyBundleSchema`; `peer` comes from the verified manifest. */
export function verifyBundle(
  crypto: Crypto,
  bundle: PrekeyBundle,
  peer: PeerDevice,
): { readonly ok: true } | { readonly ok: false; readonly code: BundleErrorCode } {
  const { device } = bundle
  const same =
    device.member === peer.member &&
    device.id === peer.device &&
    device.min_suite === peer.minSuite &&
    bytesEqual(fromBase64Url(device.ed25519), peer.ed25519) &&
    bytesEqual(fromBase64Url(device.x25519), peer.x25519)
  if (!same) return { ok: false, code: 'wrong_device' }
  const good = (kind: PrekeyKind, prekey: PublicPrekey | undefined): boolean =>
    prekey === undefined || verifyPrekey(crypto, peer.ed25519, peer, kind, prekey)
  if (!good('signed', bundle.signed)) return { ok: false, code: 'bad_signed_prekey' }
  if (!good('one_time', bundle.one_time)) return { ok: false, code: 'bad_one_time_prekey' }
  if (!good('kem', bundle.kem)) return { ok: false, code: 'bad_kem_prekey' }
  return { ok: true }
}

function signedBytes(owner: PrekeyOwner, id: string, key: string): Uint8Array {
  return canonicalBytes({ device: owner.device, id, key, member: owner.member })
}
