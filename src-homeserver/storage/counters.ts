/** How often something was done within a window of time: for limits that hold whichever process is asked. */
import { sql } from 'kysely'
import type { Db } from './schema.ts'

export interface Counted {
  /** This one included. */
  readonly taken: number
  /** When the window ends, in milliseconds. */
  readonly until: number
}

export class Counters {
  readonly #db: Db
  constructor(db: Db) {
    this.#db = db
  }

  async count(name: string, windowMs: number, now: number): Promise<Counted> {
    const ended = sql<boolean>`counters.until <= ${now}`
    const row = await this.#db
      .insertInto('counters')
      .values({ name, until: now + windowMs, taken: 1 })
      .onConflict((c) =>
        c.column('name').doUpdateSet({
          taken: sql<number>`case when ${ended} then 1 else counters.taken + 1 end`,
          until: sql<number>`case when ${ended} then ${now + windowMs} else counters.until end`,
        }),
      )
      .returning(['taken', 'until'])
      .executeTakeFirstOrThrow()
    return { taken: Number(row.taken), until: Number(row.until) }
  }

  async dropEnded(now: number): Promise<void> {
    await this.#db.deleteFrom('counters').where('until', '<=', now).execute()
  }
}
