/** Answers already given, by transaction id: asking again gives the same answer (Envelopes §5). */
import type { Db } from './schema.ts'

export interface TxnKey {
  readonly member: string
  readonly device: string
  /** The endpoint and what its path names. */
  readonly scope: string
  readonly txn: string
}

export class Txns {
  readonly #db: Db
  constructor(db: Db) {
    this.#db = db
  }

  async find(key: TxnKey): Promise<{ digest: string; answer: string } | undefined> {
    return this.#db
      .selectFrom('txns')
      .select(['digest', 'answer'])
      .where('member', '=', key.member)
      .where('device', '=', key.device)
      .where('scope', '=', key.scope)
      .where('txn', '=', key.txn)
      .executeTakeFirst()
  }

  async put(key: TxnKey, digest: string, answer: string, now: number): Promise<void> {
    await this.#db
      .insertInto('txns')
      .values({ ...key, digest, answer, stored_at: now })
      .execute()
  }

  async dropBefore(time: number): Promise<void> {
    await this.#db.deleteFrom('txns').where('stored_at', '<', time).execute()
  }
}
