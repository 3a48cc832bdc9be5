/**
 * The handshake (Handshake §3): X3DH over X25519, hybrid with ML-KEM-768 in suite 2.
 *
 * Owns the key agreement and its associated data, which names everything both sides must agree on. It
 * knows neither the ratchet that starts from its result nor where prekeys are kept.
 */
import type { Crypto } from '../crypto.ts'
import { CryptoError } from '../crypto.ts'
import {
  canonicalBytes,
  concatBytes,
  fromBase64Url,
  labelled,
  labelledHash,
  LABELS,
  toBase64Url,
} from '../encoding/index.ts'
import { verifyBundle } from '../prekeys/index.ts'
import type {
  BundleErrorCode,
  FoundPrekeys,
  LocalDevice,
  PeerDevice,
  PrekeyBundle,
  Random,
} from '../prekeys/index.ts'
import type { HandshakeHeader } from './handshake-header.ts'
import { checkSuite, chooseSuite, SUITE_HYBRID } from './suite.ts'
import type { Suite, SuiteErrorCode } from './suite.ts'

/** What both sides hold afterwards. */
export interface Agreement {
  /** Labelled hash of `ad`; 43 characters. */
  readonly session: string
  /** Labelled hash of the associated data; 32 bytes. */
  readonly ad: Uint8Array
  /** The first root key; 32 bytes. */
  readonly root: Uint8Array
}

export type InitiateErrorCode = BundleErrorCode | SuiteErrorCode | 'kem_missing' | 'low_order'

export type Initiated =
  | {
      readonly ok: true
      readonly agreement: Agreement
      readonly header: HandshakeHeader
      /** The responder's signed prekey: its first ratchet key. */
      readonly peerRatchetKey: Uint8Array
    }
  | { readonly ok: false; readonly code: InitiateErrorCode }

/** `bundle` has passed its schema; it is verified against `peer` here. */
export function initiateHandshake(options: {
  readonly crypto: Crypto
  readonly random: Random
  readonly local: LocalDevice
  readonly peer: PeerDevice
  readonly bundle: PrekeyBundle
  readonly preferredSuite?: Suite
}): Initiated {
  const { crypto, random, local, peer, bundle } = options
  const verified = verifyBundle(crypto, bundle, peer)
  if (!verified.ok) return verified
  const chosen = chooseSuite(local.minSuite, peer.minSuite, options.preferredSuite)
  if (!chosen.ok) return chosen
  const kem = chosen.suite === SUITE_HYBRID ? bundle.kem : null
  if (kem === undefined) return { ok: false, code: 'kem_missing' }

  const ephemeralSecret = random(32)
  const ephemeral = crypto.x25519PublicKey(ephemeralSecret)
  const signedKey = fromBase64Url(bundle.signed.key)
  const oneTimeKey = bundle.one_time && fromBase64Url(bundle.one_time.key)
  const encapsulated = kem && encapsulate(crypto, fromBase64Url(kem.key), random)
  if (encapsulated === 'bad_key') return { ok: false, code: 'bad_kem_prekey' }
  const secrets = agree(() => [
    crypto.x25519(local.x25519Secret, signedKey),
    crypto.x25519(ephemeralSecret, peer.x25519),
    crypto.x25519(ephemeralSecret, signedKey),
    ...(oneTimeKey ? [crypto.x25519(ephemeralSecret, oneTimeKey)] : []),
  ])
  if (secrets === null) return { ok: false, code: 'low_order' }

  const header: HandshakeHeader = {
    suite: chosen.suite,
    initiator_head: local.head,
    responder_head: peer.head,
    ephemeral: toBase64Url(ephemeral),
    signed: bundle.signed.id,
    one_time: bundle.one_time?.id ?? null,
    kem: kem?.id ?? null,
    kem_ciphertext: encapsulated ? toBase64Url(encapsulated.ciphertext) : null,
  }
  const keys = {
    signed: bundle.signed.key,
    oneTime: bundle.one_time?.key ?? null,
    kem: kem?.key ?? null,
  }
  const ad = associatedData(crypto, header, local, peer, keys)
  const agreement = derive(crypto, ad, secrets, encapsulated?.sharedSecret ?? null)
  return { ok: true, agreement, header, peerRatchetKey: signedKey }
}

export type AcceptErrorCode = SuiteErrorCode | 'bad_handshake' | 'low_order'

export type Accepted =
  | { readonly ok: true; readonly agreement: Agreement }
  | { readonly ok: false; readonly code: AcceptErrorCode }

/** `peer` is the initiator as its verified manifest states it; `prekeys` are those `header` names. */
export function acceptHandshake(options: {
  readonly crypto: Crypto
  readonly local: LocalDevice
  readonly peer: PeerDevice
  readonly header: HandshakeHeader
  readonly prekeys: FoundPrekeys
}): Accepted {
  const { crypto, local, peer, header, prekeys } = options
  const checked = checkSuite(header.suite, local.minSuite, peer.minSuite)
  if (!checked.ok) return checked
  const hybrid = checked.suite === SUITE_HYBRID
  if (hybrid !== (prekeys.kem !== null) || hybrid !== (header.kem_ciphertext !== null))
    return { ok: false, code: 'bad_handshake' }

  const ephemeral = fromBase64Url(header.ephemeral)
  const signedSecret = fromBase64Url(prekeys.signed.secret)
  const oneTime = prekeys.oneTime
  const secrets = agree(() => [
    crypto.x25519(signedSecret, peer.x25519),
    crypto.x25519(local.x25519Secret, ephemeral),
    crypto.x25519(signedSecret, ephemeral),
    ...(oneTime ? [crypto.x25519(fromBase64Url(oneTime.secret), ephemeral)] : []),
  ])
  if (secrets === null) return { ok: false, code: 'low_order' }

  const keys = {
    signed: prekeys.signed.key,
    oneTime: oneTime?.key ?? null,
    kem: prekeys.kem?.key ?? null,
  }
  const ad = associatedData(crypto, header, peer, local, keys)
  const shared =
    prekeys.kem && header.kem_ciphertext !== null
      ? crypto.mlKem768Decapsulate(
          crypto.mlKem768KeyPair(fromBase64Url(prekeys.kem.secret)).secretKey,
          fromBase64Url(header.kem_ciphertext),
        )
      : null
  return { ok: true, agreement: derive(crypto, ad, secrets, shared) }
}

/** A peer can sign a KEM key that is none (FIPS 203 §7.2): that is the peer's doing, not a broken promise. */
function encapsulate(
  crypto: Crypto,
  publicKey: Uint8Array,
  random: Random,
): ReturnType<Crypto['mlKem768Encapsulate']> | 'bad_key' {
  try {
    return crypto.mlKem768Encapsulate(publicKey, random)
  } catch (error) {
    if (error instanceof CryptoError && error.code === 'bad_key') return 'bad_key'
    throw error
  }
}

/** `null` where a point was of low order. */
function agree(secrets: () => readonly Uint8Array[]): readonly Uint8Array[] | null {
  try {
    return secrets()
  } catch (error) {
    if (error instanceof CryptoError && error.code === 'low_order') return null
    throw error
  }
}

interface PrekeyKeys {
  readonly signed: string
  readonly oneTime: string | null
  readonly kem: string | null
}

function associatedData(
  crypto: Crypto,
  header: HandshakeHeader,
  initiator: PeerDevice,
  responder: PeerDevice,
  keys: PrekeyKeys,
): Uint8Array {
  const end = (device: PeerDevice, head: string) => ({
    device: device.device,
    ed25519: toBase64Url(device.ed25519),
    head,
    member: device.member,
    x25519: toBase64Url(device.x25519),
  })
  const prekey = (id: string | null, key: string | null) => (id === null ? null : { id, key })
  const said = {
    ephemeral: header.ephemeral,
    initiator: end(initiator, header.initiator_head),
    kem: prekey(header.kem, keys.kem),
    kem_ciphertext: header.kem_ciphertext,
    one_time: prekey(header.one_time, keys.oneTime),
    responder: end(responder, header.responder_head),
    signed: prekey(header.signed, keys.signed),
    suite: header.suite,
  }
  return labelledHash(crypto, LABELS.handshakeAd, canonicalBytes(said))
}

function derive(
  crypto: Crypto,
  ad: Uint8Array,
  secrets: readonly Uint8Array[],
  kemSecret: Uint8Array | null,
): Agreement {
  // 32 bytes of 0xff come first, as in X3DH §2.2: no X25519 public key has this encoding.
  const material = concatBytes(
    new Uint8Array(32).fill(0xff),
    ...secrets,
    ...(kemSecret ? [kemSecret] : []),
  )
  const info = labelled(LABELS.handshakeRoot, ad)
  return {
    session: toBase64Url(labelledHash(crypto, LABELS.session, ad)),
    ad,
    root: crypto.hkdfSha256(material, new Uint8Array(32), info, 32),
  }
}
