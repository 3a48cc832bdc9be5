/** A bounded cache by least recent use, for what is costly to make from key bytes. */

export class KeyCache<T> {
  readonly #capacity: number
  readonly #entries = new Map<string, T>()

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
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#capacity) break
      this.#entries.delete(oldest)
    }
    return made
  }

  get size(): number {
    return this.#entries.size
  }
}
