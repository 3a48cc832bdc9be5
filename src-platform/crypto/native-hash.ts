/**
 * SHA-256, HMAC (RFC 2104) and HKDF (RFC 5869) over node:crypto's one-shot hash.
 *
 * Its own `createHmac` and `hkdfSync` cost several times as much on the short inputs of a key schedule:
 * they set up an object or a job for every call.
 */
import { requireHkdfLength } from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import { plain } from './node-crypto.ts'
import type { NodeCrypto } from './node-crypto.ts'

const BLOCK = 64
const HASH = 32
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c

type Hashes = Pick<Crypto, 'sha256' | 'sha256Stream' | 'hmacSha256' | 'hkdfSha256'>

export function nativeHashes(node: NodeCrypto): Hashes {
  const sha256 = (data: Uint8Array): Uint8Array => plain(node.hash('sha256', data, 'buffer'))

  /** `data` is a list of parts, so that no caller has to join them first. */
  function hmac(key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array {
    const short = key.length > BLOCK ? sha256(key) : key
    let length = BLOCK
    for (const part of data) length += part.length
    const inner = new Uint8Array(length).fill(INNER_PAD, 0, BLOCK)
    const outer = new Uint8Array(BLOCK + HASH).fill(OUTER_PAD, 0, BLOCK)
    for (let index = 0; index < short.length; index++) {
      const byte = short[index] ?? 0
      inner[index] = byte ^ INNER_PAD
      outer[index] = byte ^ OUTER_PAD
    }
    let offset = BLOCK
    for (const part of data) {
      inner.set(part, offset)
      offset += part.length
    }
    // As text, because a Buffer for the digest costs more than the hash of so few bytes.
    const digest = node.hash('sha256', inner, 'binary')
    for (let index = 0; index < HASH; index++) outer[BLOCK + index] = digest.charCodeAt(index)
    const mac = node.hash('sha256', outer, 'binary')
    const out = new Uint8Array(HASH)
    for (let index = 0; index < HASH; index++) out[index] = mac.charCodeAt(index)
    // They hold the key, barely hidden.
    inner.fill(0)
    outer.fill(0)
    return out
  }

  return {
    sha256,
    sha256Stream() {
      const hash = node.createHash('sha256')
      return { update: (data) => void hash.update(data), digest: () => plain(hash.copy().digest()) }
    },
    hmacSha256: (key, data) => hmac(key, data),
    hkdfSha256(ikm, salt, info, length) {
      requireHkdfLength(length)
      const prk = hmac(salt, ikm)
      const out = new Uint8Array(length)
      let block: Uint8Array = new Uint8Array(0)
      for (let offset = 0, count = 1; offset < length; offset += HASH, count++) {
        block = hmac(prk, block, info, Uint8Array.of(count))
        out.set(block.subarray(0, length - offset), offset)
      }
      prk.fill(0)
      return out
    },
  }
}
