/**
 * Ed25519 and X25519 of node:crypto behind the Crypto port.
 *
 * Making a key object from bytes costs more than most operations with it, so key objects are kept;
 * those of secrets under a keyed hash, so that no secret stays in memory as text.
 */
import type { KeyObject } from 'node:crypto'
import {
  CryptoError,
  isWellFormedSignature,
  requireLength,
} from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import { KeyCache, secretNames } from './key-cache.ts'
import { keyImport } from './key-import.ts'
import type { Curve } from './key-import.ts'
import { latin1, plain } from './node-crypto.ts'
import type { NodeCrypto } from './node-crypto.ts'

const SECRET_KEYS_KEPT = 512
const PUBLIC_KEYS_KEPT = 2048

interface SecretKey {
  readonly key: KeyObject
  readonly publicKey: Uint8Array
}

type Curves = Pick<
  Crypto,
  | 'ed25519PublicKey'
  | 'ed25519Sign'
  | 'ed25519Verify'
  | 'ed25519IsAdmissible'
  | 'x25519PublicKey'
  | 'x25519'
>

function cachePerCurve<T>(capacity: number): Readonly<Record<Curve, KeyCache<T>>> {
  return { ed25519: new KeyCache<T>(capacity), x25519: new KeyCache<T>(capacity) }
}

/** `noble` answers what node:crypto can't: torsion. */
export function nativeCurves(node: NodeCrypto, noble: Crypto): Curves {
  const keys = keyImport(node)
  const secretName = secretNames(node, 32)
  const secrets = cachePerCurve<SecretKey>(SECRET_KEYS_KEPT)
  const publics = cachePerCurve<KeyObject>(PUBLIC_KEYS_KEPT)
  const admissible = new KeyCache<boolean>(PUBLIC_KEYS_KEPT)

  function secretKey(curve: Curve, secret: Uint8Array): SecretKey {
    requireLength(secret, 32)
    return secrets[curve].get(secretName(secret), () => {
      const key = keys.secretKey(curve, secret)
      return { key, publicKey: keys.publicBytes(key) }
    })
  }

  function publicKey(curve: Curve, bytes: Uint8Array): KeyObject {
    return publics[curve].get(latin1(bytes), () => keys.publicKey(curve, bytes))
  }

  return {
    ed25519PublicKey: (secret) => Uint8Array.from(secretKey('ed25519', secret).publicKey),
    ed25519Sign: (secret, message) =>
      plain(node.sign(null, message, secretKey('ed25519', secret).key)),
    ed25519Verify(key, message, signature) {
      // OpenSSL is cofactorless and checks S < L, but takes any key that decodes; whether it takes an R
      // of small order changed between 3.0 and 3.5.
      if (!isWellFormedSignature(key, signature)) return false
      try {
        return node.verify(null, message, publicKey('ed25519', key), signature)
      } catch {
        return false
      }
    },
    ed25519IsAdmissible: (key) =>
      key.length === 32 && admissible.get(latin1(key), () => noble.ed25519IsAdmissible(key)),

    x25519PublicKey: (secret) => Uint8Array.from(secretKey('x25519', secret).publicKey),
    x25519(secret, key) {
      requireLength(key, 32)
      const privateKey = secretKey('x25519', secret).key
      let shared: Uint8Array
      try {
        shared = plain(node.diffieHellman({ privateKey, publicKey: publicKey('x25519', key) }))
      } catch {
        // OpenSSL and BoringSSL refuse to answer with an all-zero secret.
        throw new CryptoError('low_order')
      }
      if (shared.every((byte) => byte === 0)) throw new CryptoError('low_order')
      return shared
    },
  }
}
