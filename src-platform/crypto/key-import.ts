/**
 * Key objects of node:crypto from the bytes of keys, as cheaply as the runtime allows: the raw formats
 * where it knows them, RFC 8410's and RFC 9935's DER otherwise.
 */
import type { KeyObject } from 'node:crypto'
import { CryptoError } from '../../src-shared/protocol/index.ts'
import { plain } from './node-crypto.ts'
import type { NodeCrypto } from './node-crypto.ts'

export type Curve = 'ed25519' | 'x25519'

/** Of keys of 32 bytes. Whatever node:crypto throws at malformed bytes comes through. */
export interface KeyImport {
  secretKey(curve: Curve, bytes: Uint8Array): KeyObject
  publicKey(curve: Curve, bytes: Uint8Array): KeyObject
  /** The public key, as bytes. */
  publicBytes(secret: KeyObject): Uint8Array
}

/** Of a key of either curve. */
const KEY_BYTES = 32

/** The DER of a key, up to the key's own 32 bytes. */
const PKCS8_PREFIX: Readonly<Record<Curve, Uint8Array>> = {
  ed25519: Buffer.from('302e020100300506032b657004220420', 'hex'),
  x25519: Buffer.from('302e020100300506032b656e04220420', 'hex'),
}
const SPKI_PREFIX: Readonly<Record<Curve, Uint8Array>> = {
  ed25519: Buffer.from('302a300506032b6570032100', 'hex'),
  x25519: Buffer.from('302a300506032b656e032100', 'hex'),
}

export function keyImport(node: NodeCrypto): KeyImport {
  const raw = rawImport(node)
  try {
    const probe = raw.publicBytes(raw.secretKey('x25519', new Uint8Array(32).fill(1)))
    raw.publicKey('x25519', probe)
    return raw
  } catch {
    return derImport(node)
  }
}

function rawImport(node: NodeCrypto): KeyImport {
  // Memory outside the engine's heap: bytes within would be moved out first, which costs more.
  const key = Buffer.alloc(KEY_BYTES)
  function taking<T>(bytes: Uint8Array, work: () => T): T {
    if (bytes.length !== KEY_BYTES) throw new CryptoError('bad_length')
    key.set(bytes)
    try {
      return withoutStackTraces(work)
    } finally {
      key.fill(0)
    }
  }
  return {
    secretKey: (asymmetricKeyType, bytes) =>
      taking(bytes, function importSecretKey() {
        return node.createPrivateKey({ key, format: 'raw-private', asymmetricKeyType })
      }),
    publicKey: (asymmetricKeyType, bytes) =>
      taking(bytes, function importPublicKey() {
        return node.createPublicKey({ key, format: 'raw-public', asymmetricKeyType })
      }),
    publicBytes: (secret) => plain(node.createPublicKey(secret).export({ format: 'raw-public' })),
  }
}

export function derImport(node: NodeCrypto): KeyImport {
  return {
    secretKey: (curve, bytes) => secretFromDer(node, PKCS8_PREFIX[curve], bytes),
    publicKey: (curve, bytes) => publicFromDer(node, SPKI_PREFIX[curve], bytes),
    publicBytes(secret) {
      const { x } = node.createPublicKey(secret).export({ format: 'jwk' })
      return plain(Buffer.from(x ?? '', 'base64url'))
    },
  }
}

export function secretFromDer(node: NodeCrypto, prefix: Uint8Array, bytes: Uint8Array): KeyObject {
  const key = Buffer.concat([prefix, bytes])
  try {
    return withoutStackTraces(() => node.createPrivateKey({ key, format: 'der', type: 'pkcs8' }))
  } finally {
    key.fill(0)
  }
}

export function publicFromDer(node: NodeCrypto, prefix: Uint8Array, bytes: Uint8Array): KeyObject {
  const key = Buffer.concat([prefix, bytes])
  return withoutStackTraces(() => node.createPublicKey({ key, format: 'der', type: 'spki' }))
}

/**
 * Node 24 finds out whether it was given a key object by exceptions that it catches, up to four in one
 * import; recording where they were thrown costs more than the import itself.
 */
function withoutStackTraces<T>(work: () => T): T {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return work()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}
