/**
 * Writes that wait together become durable together: one transaction and one flush to disk for all that
 * queued up during the flush before. Each stands in a savepoint of its own, so one that throws undoes
 * itself alone; and none is answered before the flush they share.
 */
import { sql } from 'kysely'
import type { Transaction } from 'kysely'
import { passBoundary } from '../../src-platform/boundary.ts'
import type { Db, Schema } from './schema.ts'

const MAX_BATCH = 64

interface Job {
  run(db: Db): Promise<void>
  /** The transaction that holds what `run` did is durable, or never will be. */
  settle(failure: { readonly error: unknown } | null): void
}

export class GroupCommit {
  readonly #db: Db
  #waiting: Job[] = []
  #running: Promise<void> | null = null
  /** Jobs and batches that left nothing. */
  undone = 0

  constructor(db: Db) {
    this.#db = db
  }

  /** Resolves when durable. */
  write<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let done: { readonly value: T } | { readonly error: unknown } | undefined
      this.#waiting.push({
        async run(db) {
          done = await work(db).then(
            (value) => ({ value }),
            (error: unknown) => ({ error }),
          )
          if ('error' in done) throw done.error
        },
        settle(failure) {
          if (done !== undefined && 'error' in done) reject(done.error)
          else if (failure !== null) reject(failure.error)
          else if (done !== undefined) resolve(done.value)
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
      if (failure !== null) this.undone++
      for (const job of batch) job.settle(failure)
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#running = null
  }

  async #commit(batch: readonly Job[]): Promise<void> {
    await this.#db.transaction().execute(async (db) => {
      for (const job of batch) if (!(await inSavepoint(db, job))) this.undone++
      passBoundary('commit.before', 'node')
    })
    passBoundary('commit.after', 'node')
  }
}

/** Whether it holds. */
async function inSavepoint(db: Transaction<Schema>, job: Job): Promise<boolean> {
  await sql`savepoint job`.execute(db)
  let held = true
  try {
    await job.run(db)
  } catch {
    // The job keeps its error; the others go on.
    held = false
    await sql`rollback to savepoint job`.execute(db)
  }
  await sql`release savepoint job`.execute(db)
  return held
}
