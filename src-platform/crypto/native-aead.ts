/** AEAD ciphers of node:crypto behind the Crypto port's pairs of functions. */
import { CryptoError } from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import type { NodeCrypto } from './node-crypto.ts'

const TAG_LENGTH = 16

type Seal = Crypto['aes256GcmSeal']
type Open = Crypto['aes256GcmOpen']

export interface Aead {
  readonly seal: Seal
  readonly open: Open
}

export function nativeAead(node: NodeCrypto, cipher: 'aes-256-gcm' | 'chacha20-poly1305'): Aead {
  // node's types tell GCM and ChaCha20-Poly1305 apart by literals; at run time both are one API.
  const name = cipher as 'aes-256-gcm'
  const options = { authTagLength: TAG_LENGTH }
  // As a key object: bytes would first be found not to be one, by exceptions that cost more than the cipher.
  return {
    seal(key, nonce, plaintext, ad) {
      requireLengths(key, nonce)
      const sealing = node.createCipheriv(name, node.createSecretKey(key), nonce, options)
      sealing.setAAD(ad)
      const out = new Uint8Array(plaintext.length + TAG_LENGTH)
      out.set(sealing.update(plaintext))
      sealing.final()
      out.set(sealing.getAuthTag(), plaintext.length)
      return out
    },
    open(key, nonce, sealed, ad) {
      requireLengths(key, nonce)
      const end = sealed.length - TAG_LENGTH
      if (end < 0) return null
      const opening = node.createDecipheriv(name, node.createSecretKey(key), nonce, options)
      opening.setAAD(ad)
      opening.setAuthTag(sealed.subarray(end))
      const out = Uint8Array.from(opening.update(sealed.subarray(0, end)))
      try {
        opening.final()
        return out
      } catch {
        // Unauthenticated plaintext never leaves this function.
        out.fill(0)
        return null
      }
    },
  }
}

function requireLengths(key: Uint8Array, nonce: Uint8Array): void {
  if (key.length !== 32 || nonce.length !== 12) throw new CryptoError('bad_length')
}
