/** Single facts about the data as a whole. */
import type { Db } from './schema.ts'

export class Facts {
  readonly #db: Db
  /** Others read it anew once the transaction is durable. */
  changed = false

  constructor(db: Db) {
    this.#db = db
  }

  async get(key: 'signing_key'): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom('meta')
      .select('value')
      .where('key', '=', key)
      .executeTakeFirst()
    return row?.value
  }

  async put(key: 'signing_key', value: string): Promise<void> {
    this.changed = true
    await this.#db
      .insertInto('meta')
      .values({ key, value })
      .onConflict((c) => c.column('key').doUpdateSet({ value }))
      .execute()
  }
}
