/**
 * ML-KEM-768 (FIPS 203) of node:crypto behind the Crypto port. Encapsulation draws its randomness itself:
 * node:crypto takes none from outside.
 */
import type { KeyObject } from 'node:crypto'
import { CryptoError, requireLength } from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import { KeyCache, secretNames } from './key-cache.ts'
import { publicFromDer, secretFromDer } from './key-import.ts'
import { latin1, plain } from './node-crypto.ts'
import type { NodeCrypto } from './node-crypto.ts'

const KEYS_KEPT = 64
const SEED = 64
const CIPHERTEXT = 1088
/** FIPS 203 §7: the decryption key of K-PKE comes first in the expanded key, then the public key. */
const PUBLIC_START = 1152
const PUBLIC_END = PUBLIC_START + 1184
const EXPANDED = 2400
const PUBLIC = PUBLIC_END - PUBLIC_START

/** RFC 9935: PKCS #8 of the `seed` and of the `expandedKey` choice, up to the bytes themselves. */
const SEED_PREFIX = Buffer.from('3054020100300b060960864801650304040204428040', 'hex')
const EXPANDED_PREFIX = Buffer.from(
  '30820978020100300b06096086480165030404020482096404820960',
  'hex',
)

/** RFC 9935: SubjectPublicKeyInfo, up to the key's bytes. */
const PUBLIC_PREFIX = Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex')

type Kem = Pick<Crypto, 'mlKem768KeyPair' | 'mlKem768Encapsulate' | 'mlKem768Decapsulate'>

export function nativeKem(node: NodeCrypto, { sha256 }: Pick<Crypto, 'sha256'>): Kem {
  const seedName = secretNames(node, SEED)
  const secretName = secretNames(node, EXPANDED)
  const expanded = new KeyCache<Uint8Array>(KEYS_KEPT)
  const secrets = new KeyCache<KeyObject>(KEYS_KEPT)
  const publics = new KeyCache<KeyObject>(KEYS_KEPT)

  return {
    mlKem768KeyPair(seed) {
      requireLength(seed, SEED)
      const key = expanded.get(seedName(seed), () => {
        const made = secretFromDer(node, SEED_PREFIX, seed)
        // Seed and expanded key both are in what is exported; the expanded one ends it.
        const der = made.export({ format: 'der', type: 'pkcs8' })
        return plain(der.subarray(der.length - EXPANDED))
      })
      return {
        publicKey: key.slice(PUBLIC_START, PUBLIC_END),
        secretKey: key.slice(),
      }
    },
    mlKem768Encapsulate(publicKey) {
      requireLength(publicKey, PUBLIC)
      let key: KeyObject
      try {
        key = publics.get(latin1(sha256(publicKey)), () =>
          publicFromDer(node, PUBLIC_PREFIX, publicKey),
        )
      } catch {
        // FIPS 203 §7.2: a coefficient of the key is not reduced modulo q.
        throw new CryptoError('bad_key')
      }
      const { ciphertext, sharedKey } = node.encapsulate(key)
      return { ciphertext: plain(ciphertext), sharedSecret: plain(sharedKey) }
    },
    mlKem768Decapsulate(secretKey, ciphertext) {
      requireLength(secretKey, EXPANDED)
      requireLength(ciphertext, CIPHERTEXT)
      let key: KeyObject
      try {
        key = secrets.get(secretName(secretKey), () =>
          secretFromDer(node, EXPANDED_PREFIX, secretKey),
        )
      } catch {
        // FIPS 203 §7.3: the key does not carry the hash of its own public part.
        throw new CryptoError('bad_key')
      }
      return plain(node.decapsulate(key, ciphertext))
    },
  }
}
