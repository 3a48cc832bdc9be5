/**
 * SHA-256, HMAC (RFC 2104) and HKDF (RFC 5869) over node:crypto's one-shot hash.
 *
 * Its own `createHmac` and `hkdfSync` cost several times as much on the short inputs of a key schedule:
 * they set up an object or a job for every call. Digests come as text, because a Buffer for the digest
 * costs more than the hash of so few bytes.
 */
import { requireHkdfLength } from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import { plain } from './node-crypto.ts'
import type { NodeCrypto } from './node-crypto.ts'

const BLOCK = 64
const HASH = 32
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c
/** Longer messages get memory of their own. */
const SHORT = 1024

type Hashes = Pick<Crypto, 'sha256' | 'sha256Stream' | 'hmacSha256' | 'hkdfSha256'>

export function nativeHashes(node: NodeCrypto): Hashes {
  const hmac = new Hmac(node)
  return {
    sha256(data) {
      const out = new Uint8Array(HASH)
      writeDigest(node.hash('sha256', data, 'binary'), out, 0)
      return out
    },
    sha256Stream() {
      const hash = node.createHash('sha256')
      return { update: (data) => void hash.update(data), digest: () => plain(hash.copy().digest()) }
    },
    hmacSha256: (key, data) => hmac.mac(key, data),
    hkdfSha256(ikm, salt, info, length) {
      requireHkdfLength(length)
      return hmac.expand(hmac.mac(salt, ikm), info, length)
    },
  }
}

/**
 * Memory that every call uses again: asking for new memory costs as much as a hash. It holds the key,
 * barely hidden, so no call leaves anything in it.
 */
class Hmac {
  readonly #node: NodeCrypto
  /** The padded key, then the message. */
  readonly #short = new Uint8Array(BLOCK + SHORT)
  /** The padded key, then the inner digest. */
  readonly #outer = new Uint8Array(BLOCK + HASH)

  constructor(node: NodeCrypto) {
    this.#node = node
  }

  mac(key: Uint8Array, data: Uint8Array): Uint8Array {
    const inner = this.#innerFor(data.length)
    this.#pad(key, inner)
    inner.set(data, BLOCK)
    const out = new Uint8Array(HASH)
    writeDigest(this.#digest(inner, data.length), out, 0)
    this.#wipe(inner, data.length)
    return out
  }

  /** RFC 5869 §2.3; wipes `prk`. */
  expand(prk: Uint8Array, info: Uint8Array, length: number): Uint8Array {
    const longest = HASH + info.length + 1
    const inner = this.#innerFor(longest)
    this.#pad(prk, inner)
    prk.fill(0)
    const out = new Uint8Array(length)
    let start = BLOCK
    for (let offset = 0, count = 1; offset < length; offset += HASH, count++) {
      inner.set(info, start)
      inner[start + info.length] = count
      const block = this.#digest(inner, start + info.length + 1 - BLOCK)
      writeDigest(block, out, offset)
      // From the second block on, the one before comes first.
      writeDigest(block, inner, BLOCK)
      start = BLOCK + HASH
    }
    this.#wipe(inner, longest)
    return out
  }

  #innerFor(length: number): Uint8Array {
    return length <= SHORT ? this.#short : new Uint8Array(BLOCK + length)
  }

  #pad(key: Uint8Array, inner: Uint8Array): void {
    const outer = this.#outer
    const short = key.length > BLOCK ? plain(this.#node.hash('sha256', key, 'buffer')) : key
    const { length } = short
    for (let index = 0; index < length; index++) {
      const byte = short[index] ?? 0
      inner[index] = byte ^ INNER_PAD
      outer[index] = byte ^ OUTER_PAD
    }
    inner.fill(INNER_PAD, length, BLOCK)
    outer.fill(OUTER_PAD, length, BLOCK)
  }

  #digest(inner: Uint8Array, length: number): string {
    const message = inner.subarray(0, BLOCK + length)
    writeDigest(this.#node.hash('sha256', message, 'binary'), this.#outer, BLOCK)
    return this.#node.hash('sha256', this.#outer, 'binary')
  }

  #wipe(inner: Uint8Array, length: number): void {
    inner.fill(0, 0, BLOCK + length)
    this.#outer.fill(0)
  }
}

/** As much of the digest as there is room for. */
function writeDigest(digest: string, out: Uint8Array, start: number): void {
  const end = Math.min(HASH, out.length - start)
  for (let index = 0; index < end; index++) out[start + index] = digest.charCodeAt(index)
}
