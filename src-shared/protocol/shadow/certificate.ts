/**
 * Who is behind a pseudonym (Shadow Rooms §12): in a Shadow Room a device acts under a signing key and a
 * wrap route made for that room alone, and a certificate, sealed as metadata, ties them to the device
 * that the members know. Draft.
 *
 * The certificate is signed both ways, so nobody can claim another's pseudonym nor lend its own name to
 * a key it does not hold. Whether the device is active is the manifest's question.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  canonicalBytes,
  deviceIdSchema,
  fingerprintSchema,
  fromBase64Url,
  LABELS,
  roomIdSchema,
  signLabelled,
  toBase64Url,
  verifyLabelledValue,
} from '../encoding/index.ts'
import type { Json } from '../encoding/index.ts'
import type { LocalDevice, PeerDevice, Random } from '../prekeys/index.ts'

/** One device in one Shadow Room as its roster lists it. */
export type ShadowDevice = {
  /** Of the member, 32 random bytes; the same for all its devices in the room. */
  readonly pseudonym: string
  /** Ed25519 public key. */
  readonly key: string
  /** Where wraps for it are delivered; 16 random bytes. */
  readonly route: string
}

export const shadowDeviceSchema: z.ZodType<ShadowDevice> = z.object({
  pseudonym: fingerprintSchema,
  key: base64UrlSchema(32),
  route: base64UrlSchema(16),
})

export type ShadowIdentity = ShadowDevice & {
  /** Seed of `key`. */
  readonly secret: string
}

/** `pseudonym`: that of the account's other devices in the room, `null` for the first. */
export function drawShadowIdentity(
  crypto: Crypto,
  random: Random,
  pseudonym: string | null,
): ShadowIdentity {
  const secret = random(32)
  return {
    pseudonym: pseudonym ?? toBase64Url(random(32)),
    key: toBase64Url(crypto.ed25519PublicKey(secret)),
    route: toBase64Url(random(16)),
    secret: toBase64Url(secret),
  }
}

/** What is signed, on both sides. */
type ShadowStatement = {
  readonly v: 1
  readonly room: string
  readonly pseudonym: string
  readonly key: string
  readonly route: string
  readonly member: string
  readonly device: string
  readonly head: string
}

/** Members that this version does not know are kept: the signatures cover them. */
const saidSchema: z.ZodType<ShadowStatement> = z.looseObject({
  v: z.literal(1),
  room: roomIdSchema,
  pseudonym: fingerprintSchema,
  key: base64UrlSchema(32),
  route: base64UrlSchema(16),
  member: fingerprintSchema,
  device: deviceIdSchema,
  /** The account's manifest head when this was signed. */
  head: base64UrlSchema(32),
})

export const shadowCertificateSchema = z.object({
  said: saidSchema,
  /** By the device. */
  sig: base64UrlSchema(64),
  /** By the room's key. */
  possession: base64UrlSchema(64),
})
export type ShadowCertificate = z.infer<typeof shadowCertificateSchema>

/** To be sealed with `sealMetadata` before anyone else sees it. */
export function makeShadowCertificate(
  crypto: Crypto,
  local: LocalDevice,
  room: string,
  identity: ShadowIdentity,
): ShadowCertificate {
  const { pseudonym, key, route, secret } = identity
  const { member, device, head } = local
  const said = { v: 1, room, pseudonym, key, route, member, device, head } as const
  const bytes = canonicalBytes(said)
  const sign = (by: Uint8Array, label: 'shadowCertificate' | 'shadowPossession'): string =>
    toBase64Url(signLabelled(crypto, by, LABELS[label], bytes))
  return {
    said,
    sig: sign(local.ed25519Secret, 'shadowCertificate'),
    possession: sign(fromBase64Url(secret), 'shadowPossession'),
  }
}

export type ShadowCertificateErrorCode =
  | 'malformed'
  /** Of another room, pseudonym, key or route than the roster lists. */
  | 'wrong_subject'
  /** Not the device asked about. */
  | 'wrong_device'
  /** The room's key is one that no signature may count for. */
  | 'bad_key'
  | 'bad_signature'

/** `device` as the verified manifest of the account that the certificate names states it. */
export function verifyShadowCertificate(options: {
  readonly crypto: Crypto
  readonly room: string
  readonly subject: ShadowDevice
  readonly device: PeerDevice
  /** As opened. */
  readonly certificate: Json
}):
  | { readonly ok: true; readonly certificate: ShadowCertificate }
  | { readonly ok: false; readonly code: ShadowCertificateErrorCode } {
  const { crypto, room, subject, device } = options
  const parsed = shadowCertificateSchema.safeParse(options.certificate)
  if (!parsed.success) return { ok: false, code: 'malformed' }
  const { said, sig, possession } = parsed.data
  const about =
    said.room === room &&
    said.pseudonym === subject.pseudonym &&
    said.key === subject.key &&
    said.route === subject.route
  if (!about) return { ok: false, code: 'wrong_subject' }
  if (said.member !== device.member || said.device !== device.device)
    return { ok: false, code: 'wrong_device' }
  const key = fromBase64Url(said.key)
  if (!crypto.ed25519IsAdmissible(key)) return { ok: false, code: 'bad_key' }
  const signed =
    verifyLabelledValue(crypto, device.ed25519, LABELS.shadowCertificate, said, sig) &&
    verifyLabelledValue(crypto, key, LABELS.shadowPossession, said, possession)
  return signed ? { ok: true, certificate: parsed.data } : { ok: false, code: 'bad_signature' }
}
