/** AEAD ciphers of node:crypto behind the Crypto port's pairs of functions. */
import type { KeyObject } from 'node:crypto'
import { CryptoError } from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import { plain } from './node-crypto.ts'
import type { NodeCrypto } from './node-crypto.ts'

const KEY_LENGTH = 32
const NONCE_LENGTH = 12
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
  // Buffers lie outside the engine's heap: bytes within would be moved out first, which costs more.
  const keyBytes = Buffer.alloc(KEY_LENGTH)
  const iv = Buffer.alloc(NONCE_LENGTH)

  /**
   * As a key object: bytes would first be found not to be one, by exceptions that cost more than the
   * cipher. Leaves the nonce in `iv`.
   */
  function keyOf(key: Uint8Array, nonce: Uint8Array): KeyObject {
    if (key.length !== KEY_LENGTH || nonce.length !== NONCE_LENGTH)
      throw new CryptoError('bad_length')
    iv.set(nonce)
    keyBytes.set(key)
    const object = node.createSecretKey(keyBytes)
    keyBytes.fill(0)
    return object
  }

  return {
    seal(key, nonce, plaintext, ad) {
      const sealing = node.createCipheriv(name, keyOf(key, nonce), iv, options)
      sealing.setAAD(ad)
      const out = new Uint8Array(plaintext.length + TAG_LENGTH)
      out.set(sealing.update(plaintext))
      sealing.final()
      out.set(sealing.getAuthTag(), plaintext.length)
      return out
    },
    open(key, nonce, sealed, ad) {
      const secret = keyOf(key, nonce)
      const end = sealed.length - TAG_LENGTH
      if (end < 0) return null
      const opening = node.createDecipheriv(name, secret, iv, options)
      opening.setAAD(ad)
      opening.setAuthTag(sealed.subarray(end))
      const out = plain(opening.update(sealed.subarray(0, end)))
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
