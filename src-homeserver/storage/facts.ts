/** Single facts about the data as a whole. */
import type { Db } from './schema.ts'

export type Fact =
  | 'signing_key'
  /** What positions count in; the name of the data until it was set back. */
  | 'data_id'
  /** When the copy was made that this data was before it was put to use; milliseconds. */
  | 'copied_at'
  /** When this data was found to be a copy, until others were asked for what it lacks; milliseconds. */
  | 'restored_at'

export class Facts {
  readonly #db: Db
  /** Others read them anew once the transaction is durable. */
  changed = false

  constructor(db: Db) {
    this.#db = db
  }

  async get(key: Fact): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom('meta')
      .select('value')
      .where('key', '=', key)
      .executeTakeFirst()
    return row?.value
  }

  async put(key: Fact, value: string): Promise<void> {
    this.changed = true
    await this.#db
      .insertInto('meta')
      .values({ key, value })
      .onConflict((c) => c.column('key').doUpdateSet({ value }))
      .execute()
  }

  /** Puts something down and takes it away again. */
  async probe(value: string): Promise<void> {
    await this.#db
      .insertInto('meta')
      .values({ key: 'probe', value })
      .onConflict((c) => c.column('key').doUpdateSet({ value }))
      .execute()
    await this.#db.deleteFrom('meta').where('key', '=', 'probe').execute()
  }

  async drop(key: Fact): Promise<void> {
    this.changed = true
    await this.#db.deleteFrom('meta').where('key', '=', key).execute()
  }
}
