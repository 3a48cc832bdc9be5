/** A bounded cache by least recent use, for what is costly to make from key bytes, and names for secrets. */
import type { NodeCrypto } from './node-crypto.ts'

export class KeyCache<T> {
  readonly #capacity: number
  readonly #entries = new Map<string, T>()
  /**
   * Stands before the entry used longest ago and stays there: whoever starts from the front of a Map goes
   * over everything that was deleted there.
   */
  #oldest = this.#entries.keys()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** `name` must not be a secret: it stays in memory as text. */
  get(name: string, make: () => T): T {
    const found = this.#entries.get(name)
    if (found !== undefined) {
      this.#entries.delete(name)
      this.#entries.set(name, found)
      return found
    }
    const made = make()
    this.#entries.set(name, made)
    while (this.#entries.size > this.#capacity) this.#drop()
    return made
  }

  #drop(): void {
    const { value, done } = this.#oldest.next()
    if (done === true) this.#oldest = this.#entries.keys()
    else this.#entries.delete(value)
  }

  get size(): number {
    return this.#entries.size
  }
}

/**
 * Names for secrets of `length` bytes: a hash under a key of this cache's own, so that no secret stays in
 * memory as text. Both parts are of fixed length, so plain hashing of one after the other does.
 */
export function secretNames(node: NodeCrypto, length: number): (secret: Uint8Array) => string {
  const cacheKey = node.randomBytes(32)
  const named = new Uint8Array(cacheKey.length + length)
  named.set(cacheKey)
  return (secret) => {
    named.set(secret, cacheKey.length)
    const name = node.hash('sha256', named, 'binary')
    named.fill(0, cacheKey.length)
    return name
  }
}
