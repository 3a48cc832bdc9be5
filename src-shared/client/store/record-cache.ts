/**
 * Decoded records in memory, above the Store. Holds committed values only; values are immutable.
 *
 * A read that crosses a commit of the same record is read again, so that an old value never takes the
 * place of a new one.
 */
import { StoreError } from '../ports.ts'
import type { Store } from '../ports.ts'
import type { RecordType } from './record-type.ts'

interface Reading {
  readers: number
  stale: boolean
}

export interface Written {
  readonly type: RecordType<unknown>
  readonly key: string
  /** Null where the record is gone. */
  readonly value: unknown
}

export class RecordCache {
  readonly #store: Store
  readonly #kept = new Map<RecordType<unknown>, Map<string, unknown>>()
  readonly #reading = new Map<string, Reading>()

  constructor(store: Store) {
    this.#store = store
  }

  peek<T>(type: RecordType<T>, key: string): T | null | undefined {
    // Values enter under their own type object only.
    return this.#kept.get(type as RecordType<unknown>)?.get(key) as T | null | undefined
  }

  async read<T>(type: RecordType<T>, keys: readonly string[]): Promise<(T | null)[]> {
    const out = new Map<string, T | null>()
    let missing: string[] = []
    for (const key of new Set(keys)) {
      const kept = this.peek(type, key)
      if (kept === undefined) missing.push(key)
      else {
        this.#keep(type as RecordType<unknown>, key, kept)
        out.set(key, kept)
      }
    }
    while (missing.length > 0) missing = await this.#fetch(type, missing, out)
    return keys.map((key) => out.get(key) ?? null)
  }

  /** Takes over what a commit wrote. */
  wrote(writes: readonly Written[]): void {
    for (const { type, key, value } of writes) {
      const reading = this.#reading.get(addressOf(type, key))
      if (reading !== undefined) reading.stale = true
      this.#keep(type, key, value)
    }
  }

  /** Returns the keys that a commit changed meanwhile. */
  async #fetch<T>(
    type: RecordType<T>,
    keys: readonly string[],
    out: Map<string, T | null>,
  ): Promise<string[]> {
    const readings = keys.map((key) => this.#begin(addressOf(type, key)))
    try {
      const values = await this.#store.read(keys.map((key) => ({ table: type.table, key })))
      const again: string[] = []
      for (const [at, key] of keys.entries()) {
        if (readings[at]?.stale === true) {
          again.push(key)
          continue
        }
        const bytes = values[at] ?? null
        const value = bytes === null ? null : decode(type, bytes)
        this.#keep(type as RecordType<unknown>, key, value)
        out.set(key, value)
      }
      return again
    } finally {
      for (const key of keys) this.#end(addressOf(type, key))
    }
  }

  #begin(address: string): Reading {
    const reading = this.#reading.get(address) ?? { readers: 0, stale: false }
    // A new reader of a stale record reads after the commit; it must not inherit the mark.
    const mine = reading.stale ? { readers: 0, stale: false } : reading
    mine.readers++
    this.#reading.set(address, mine)
    return mine
  }

  #end(address: string): void {
    const reading = this.#reading.get(address)
    if (reading === undefined) return
    reading.readers--
    if (reading.readers <= 0) this.#reading.delete(address)
  }

  #keep(type: RecordType<unknown>, key: string, value: unknown): void {
    let kept = this.#kept.get(type)
    if (kept === undefined) this.#kept.set(type, (kept = new Map<string, unknown>()))
    kept.delete(key)
    kept.set(key, value)
    if (kept.size <= type.cached) return
    const oldest = kept.keys().next()
    if (oldest.done !== true) kept.delete(oldest.value)
  }
}

function addressOf(type: { readonly table: string }, key: string): string {
  return `${type.table}/${key}`
}

function decode<T>(type: RecordType<T>, bytes: Uint8Array): T {
  try {
    return type.decode(bytes)
  } catch {
    throw new StoreError('corrupted')
  }
}
