/** AEAD ciphers of node:crypto behind the Crypto port's pairs of functions. */
import { CryptoError } from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import { latin1, plain } from './node-crypto.ts'
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
  // Node 24 finds out that bytes are no key object by exceptions that cost more than the cipher, and a key
  // object costs a third of it. With text, one character a byte, it has nothing to find out.
  const options = { authTagLength: TAG_LENGTH, encoding: 'latin1' } as const
  // Outside the engine's heap: bytes within would be moved out first, which costs more.
  const iv = Buffer.alloc(NONCE_LENGTH)

  /** Leaves the nonce in `iv`. */
  function keyText(key: Uint8Array, nonce: Uint8Array): string {
    if (key.length !== KEY_LENGTH || nonce.length !== NONCE_LENGTH)
      throw new CryptoError('bad_length')
    iv.set(nonce)
    return latin1(key)
  }

  return {
    seal(key, nonce, plaintext, ad) {
      const sealing = node.createCipheriv(name, keyText(key, nonce), iv, options)
      sealing.setAAD(ad)
      const out = new Uint8Array(plaintext.length + TAG_LENGTH)
      out.set(sealing.update(plaintext))
      sealing.final()
      out.set(sealing.getAuthTag(), plaintext.length)
      return out
    },
    open(key, nonce, sealed, ad) {
      const secret = keyText(key, nonce)
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
