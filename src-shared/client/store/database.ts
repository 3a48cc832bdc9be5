/**
 * Typed records over the Store port, and the one write queue (Vault and commits, Design).
 *
 * A *step* is one whole protocol step: it reads, computes and writes records, all or nothing. Steps run
 * one after the other; those that wait while a commit is on its way share the next commit. What is in
 * memory is replaced only after the commit succeeded, so a crash or a failing store leaves memory and
 * disk at the same place. It knows nothing of what the records mean.
 */
import { EngineError } from '../errors.ts'
import { StoreError } from '../ports.ts'
import type { Batch, Log, Store } from '../ports.ts'
import { RecordCache } from './record-cache.ts'
import type { RecordType } from './record-type.ts'

/** Batches stay well below what one message port or transaction takes comfortably. */
const MAX_BATCH_RECORDS = 600
const MAX_BATCH_STEPS = 64
/** How often "was it committed?" is asked before the store counts as gone. */
const LOST_RETRIES = 5

export interface Reader {
  get<T>(type: RecordType<T>, key: string): Promise<T | null>
  getMany<T>(type: RecordType<T>, keys: readonly string[]): Promise<(T | null)[]>
}

export interface Step extends Reader {
  put<T>(type: RecordType<T>, key: string, value: T): void
  delete<T>(type: RecordType<T>, key: string): void
  /** Runs right after the commit, in order; never runs if it fails. Must not throw. */
  after(effect: () => void): void
  /** A part that may fail alone: where `work` throws, nothing of it is kept, and the rest goes on. */
  nested<T>(work: (step: Step) => Promise<T>): Promise<T>
}

interface Job {
  readonly what: string
  run(): Promise<void>
  settle(): void
  fail(error: unknown): void
  readonly layer: Layer
}

interface Write {
  readonly type: RecordType<unknown>
  readonly key: string
  /** Null deletes. */
  readonly value: unknown
}

interface Layer {
  readonly writes: Map<string, Write>
  readonly effects: (() => void)[]
}

export interface DatabaseOptions {
  readonly store: Store
  readonly log: Log
  /** Unique ids for commits. */
  readonly newId: () => string
  /** A commit did not fit; nothing of it was kept. */
  readonly onFull: () => void
}

export class Database implements Reader {
  readonly #options: DatabaseOptions
  readonly #cache: RecordCache
  readonly #queue: Job[] = []
  #running: Promise<void> | null = null
  #broken: Error | null = null

  constructor(options: DatabaseOptions) {
    this.#options = options
    this.#cache = new RecordCache(options.store)
  }

  /** The last committed value. Throws `EngineError('vault_damaged')` where a record does not open. */
  async get<T>(type: RecordType<T>, key: string): Promise<T | null> {
    return (await this.getMany(type, [key]))[0] ?? null
  }

  async getMany<T>(type: RecordType<T>, keys: readonly string[]): Promise<(T | null)[]> {
    try {
      return await this.#cache.read(type, keys)
    } catch (error) {
      throw storeFailure(error)
    }
  }

  /** Without touching the store: undefined where the record is not in memory. */
  peek<T>(type: RecordType<T>, key: string): T | null | undefined {
    return this.#cache.peek(type, key)
  }

  /**
   * Resolves with what `work` returns once its writes are durable. Whatever `work` throws is thrown,
   * and nothing of it is kept. `what` is a closed name for the log. `work` must not start a step.
   */
  step<T>(what: string, work: (step: Step) => Promise<T> | T): Promise<T> {
    if (this.#broken !== null) return Promise.reject(this.#broken)
    return new Promise<T>((resolve, reject) => {
      const layer: Layer = { writes: new Map(), effects: [] }
      let result: { value: T } | null = null
      this.#queue.push({
        what,
        layer,
        run: async () => {
          result = { value: await work(this.#stepOver(layer)) }
        },
        settle: () => {
          if (result !== null) resolve(result.value)
        },
        fail: reject,
      })
      this.#running ??= this.#drain()
    })
  }

  /** Resolves when nothing is queued or on its way. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running
  }

  /** The writes of the running batch, below those of the running step. */
  #batch = new Map<string, Write>()

  #stepOver(layer: Layer, below: readonly Layer[] = []): Step {
    const written = (type: RecordType<unknown>, key: string): Write | undefined => {
      const address = addressOf(type, key)
      for (const { writes } of [layer, ...below]) {
        const write = writes.get(address)
        if (write !== undefined) return write
      }
      return this.#batch.get(address)
    }
    const getMany = async <T>(
      type: RecordType<T>,
      keys: readonly string[],
    ): Promise<(T | null)[]> => {
      const erased = type as RecordType<unknown>
      const missing = keys.filter((key) => written(erased, key) === undefined)
      const read = missing.length === 0 ? [] : await this.getMany(type, missing)
      let next = 0
      return keys.map((key) => {
        const write = written(erased, key)
        // A write is found under the address of its own type, so its value is a T.
        return write === undefined ? (read[next++] ?? null) : (write.value as T | null)
      })
    }
    const put = (type: RecordType<unknown>, key: string, value: unknown): void => {
      layer.writes.set(addressOf(type, key), { type, key, value })
    }
    return {
      getMany,
      get: async (type, key) => (await getMany(type, [key]))[0] ?? null,
      put: (type, key, value) => {
        put(type as RecordType<unknown>, key, value)
      },
      delete: (type, key) => {
        put(type as RecordType<unknown>, key, null)
      },
      after: (effect) => layer.effects.push(effect),
      nested: async (work) => {
        const child: Layer = { writes: new Map(), effects: [] }
        const result = await work(this.#stepOver(child, [layer, ...below]))
        for (const [address, write] of child.writes) layer.writes.set(address, write)
        layer.effects.push(...child.effects)
        return result
      },
    }
  }

  async #drain(): Promise<void> {
    // Lets the caller's turn end first, so that steps started together share a commit.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const done: Job[] = []
      this.#batch = new Map()
      while (done.length < MAX_BATCH_STEPS && this.#batch.size < MAX_BATCH_RECORDS) {
        const job = this.#queue.shift()
        if (job === undefined) break
        try {
          await job.run()
          for (const [address, write] of job.layer.writes) this.#batch.set(address, write)
          done.push(job)
        } catch (error) {
          job.fail(error)
        }
      }
      try {
        await this.#commit(done)
      } catch (error) {
        const failure = storeFailure(error)
        // Without knowing what is on disk nothing may be built on top of it.
        if (error instanceof StoreError && error.code === 'full') this.#options.onFull()
        else this.#broken = failure
        for (const job of done) job.fail(failure)
        continue
      } finally {
        this.#batch = new Map()
      }
      for (const job of done) for (const effect of job.layer.effects) effect()
      for (const job of done) job.settle()
    }
    this.#running = null
  }

  async #commit(done: readonly Job[]): Promise<void> {
    const writes = [...this.#batch.values()]
    if (writes.length === 0) return
    const { store, log, newId } = this.#options
    const batch: Batch = {
      id: newId(),
      puts: writes
        .filter((write) => write.value !== null)
        .map(({ type, key, value }) => ({ table: type.table, key, value: type.encode(value) })),
      deletes: writes
        .filter((write) => write.value === null)
        .map(({ type, key }) => ({ table: type.table, key })),
    }
    const what = done.map((job) => job.what).join('+')
    log('commit.before', { what, records: writes.length })
    await commitOnce(store, batch)
    this.#cache.wrote(writes)
    log('commit.after', { what, records: writes.length })
  }
}

/** A commit whose outcome is unknown is asked about, and repeated only if it did not happen. */
async function commitOnce(store: Store, batch: Batch): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await store.commit(batch)
      return
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'lost' || attempt >= LOST_RETRIES)
        throw error
      if (await store.wasCommitted(batch.id)) return
    }
  }
}

function addressOf(type: RecordType<unknown>, key: string): string {
  return `${type.table}/${key}`
}

function storeFailure(error: unknown): Error {
  if (error instanceof StoreError)
    return new EngineError(error.code === 'corrupted' ? 'vault_damaged' : 'internal')
  return error instanceof Error ? error : new EngineError('internal')
}
