/**
 * Writes that wait together become durable together: one transaction and one flush to disk for all that
 * queued up during the flush before. Each stands in a savepoint of its own, so one that throws undoes
 * itself alone; and none is answered before the flush they share.
 */
import { sql } from 'kysely'
import type { Transaction } from 'kysely'
import { passBoundary } from '../../src-platform/boundary.ts'
import type { Db, Schema } from './schema.ts'
import { endsTransaction } from './storage-error.ts'

const MAX_BATCH = 64
/** A transaction that the database undid because of others is done again. */
const MAX_TRIES = 4

/** What the transaction of a batch is to the database. */
export interface BatchFrame {
  /** First in the transaction: from here on nobody else writes. */
  begin(db: Db): Promise<void>
  /** Last in it: what the jobs that hold say to others. */
  end(db: Db, news: readonly unknown[]): Promise<void>
  /** The database undid the transaction because of others. */
  isConflict(error: unknown): boolean
}

interface Job {
  /** What others are to hear once it is durable. */
  run(db: Db): Promise<unknown>
  /** The transaction that holds what `run` did is durable, or never will be. */
  settle(failure: { readonly error: unknown } | null): void
}

export class GroupCommit {
  readonly #db: Db
  readonly #frame: BatchFrame
  #waiting: Job[] = []
  #running: Promise<void> | null = null
  /** Jobs and batches that left nothing. */
  undone = 0

  constructor(db: Db, frame: BatchFrame) {
    this.#db = db
    this.#frame = frame
  }

  /** Resolves when durable. `work` may be done more than once; only the last time holds. */
  write<T, N>(
    work: (db: Db) => Promise<{ readonly value: T; readonly news: N }>,
  ): Promise<{
    readonly value: T
    readonly news: N
  }> {
    return new Promise((resolve, reject) => {
      let done: { readonly value: T; readonly news: N } | { readonly error: unknown } | undefined
      this.#waiting.push({
        async run(db) {
          done = await work(db).catch((error: unknown) => ({ error }))
          if ('error' in done) throw done.error
          return done.news
        },
        settle(failure) {
          if (done !== undefined && 'error' in done) reject(done.error)
          else if (failure !== null) reject(failure.error)
          else if (done !== undefined) resolve(done)
        },
      })
      this.#running ??= this.#drain()
    })
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #drain(): Promise<void> {
    // Whatever arrived in the same turn of the event loop comes along.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, MAX_BATCH)
      this.#waiting = this.#waiting.slice(MAX_BATCH)
      const failure = await this.#commit(batch).then(
        () => null,
        (error: unknown) => ({ error }),
      )
      for (const job of batch) job.settle(failure)
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#running = null
  }

  async #commit(batch: readonly Job[]): Promise<void> {
    for (let tries = 1; ; tries++)
      try {
        await this.#attempt(batch)
        break
      } catch (error) {
        this.undone++
        if (tries >= MAX_TRIES || !this.#frame.isConflict(error)) throw error
      }
    passBoundary('commit.after', 'node')
  }

  async #attempt(batch: readonly Job[]): Promise<void> {
    await this.#db.transaction().execute(async (db) => {
      await this.#frame.begin(db)
      const news: unknown[] = []
      const [only] = batch
      // A single one needs no savepoint: the transaction is its own.
      if (only !== undefined && batch.length === 1) news.push(await only.run(db))
      else
        for (const job of batch) {
          const held = await this.#inSavepoint(db, job)
          if (held === null) this.undone++
          else news.push(held.news)
        }
      await this.#frame.end(db, news)
      passBoundary('commit.before', 'node')
    })
  }

  /** Null where it does not hold. */
  async #inSavepoint(db: Transaction<Schema>, job: Job): Promise<{ news: unknown } | null> {
    await sql`savepoint job`.execute(db)
    let held: { news: unknown } | null = null
    try {
      held = { news: await job.run(db) }
    } catch (error) {
      if (this.#frame.isConflict(error) || endsTransaction(error)) throw error
      // The job keeps its error; the others go on.
      await sql`rollback to savepoint job`.execute(db)
    }
    await sql`release savepoint job`.execute(db)
    return held
  }
}
