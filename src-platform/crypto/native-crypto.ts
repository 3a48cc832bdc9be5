/**
 * The Crypto port over node:crypto (Encoding §1 says what must hold). It proves itself with known
 * answers when it is made; a primitive that this runtime lacks or gets wrong runs on @noble instead.
 *
 * XChaCha20 is not in node:crypto and stays with @noble. ML-KEM encapsulation draws its own randomness there;
 * what must be replayed from given bytes (fixtures, seeded tests) asks for a replayable adapter, which
 * encapsulates on @noble.
 */
import * as nodeCrypto from 'node:crypto'
import { createNobleCrypto, requireSelfTest, selfTest } from '../../src-shared/protocol/index.ts'
import type { Crypto, CryptoPrimitive } from '../../src-shared/protocol/index.ts'
import { nativeAead } from './native-aead.ts'
import { nativeCurves } from './native-curves.ts'
import { nativeHashes } from './native-hash.ts'
import { nativeKem } from './native-kem.ts'
import type { NodeCrypto } from './node-crypto.ts'

export interface NativeCrypto extends Crypto {
  /** Primitives that should run natively here and do not. */
  readonly fallbacks: readonly CryptoPrimitive[]
}

export interface NativeCryptoOptions {
  readonly node?: NodeCrypto
  /** Whether every output follows from the input, the randomness given included. */
  readonly replayable?: boolean
}

/** Throws `CryptoError('self_test_failed')` where not even @noble gives the known answers. */
export function createNativeCrypto({
  node = nodeCrypto,
  replayable = false,
}: NativeCryptoOptions = {}): NativeCrypto {
  const noble = createNobleCrypto()
  const hashes = nativeHashes(node)
  const chacha20Poly1305 = nativeAead(node, 'chacha20-poly1305')
  const aes256Gcm = nativeAead(node, 'aes-256-gcm')
  const native: Crypto = {
    ...noble,
    ...hashes,
    ...nativeCurves(node, noble),
    ...nativeKem(node, hashes),
    ...(replayable && { mlKem768Encapsulate: noble.mlKem768Encapsulate }),
    chacha20Poly1305Seal: chacha20Poly1305.seal,
    chacha20Poly1305Open: chacha20Poly1305.open,
    aes256GcmSeal: aes256Gcm.seal,
    aes256GcmOpen: aes256Gcm.open,
    equal: (a, b) => a.length === b.length && node.timingSafeEqual(a, b),
  }
  const fallbacks = selfTest(native)
  const crypto: Crypto = { ...native }
  for (const primitive of fallbacks) Object.assign(crypto, functionsOf(noble, primitive))
  if (fallbacks.length > 0) requireSelfTest(crypto)
  const name = fallbacks.length === 0 ? 'native' : `native, without ${fallbacks.join(', ')}`
  return { ...crypto, name, fallbacks }
}

function functionsOf(crypto: Crypto, primitive: CryptoPrimitive): Partial<Crypto> {
  return Object.fromEntries(
    Object.entries(crypto).filter(([name]) => name !== 'name' && name.startsWith(primitive)),
  )
}
