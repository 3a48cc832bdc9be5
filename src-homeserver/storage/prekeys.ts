/** Public prekeys. A one-time prekey is handed out once; its id stays, so that it never comes back. */
import type { Db, Row } from './schema.ts'

export type PrekeyRow = Row<'prekeys'>

export class Prekeys {
  readonly #db: Db
  constructor(db: Db) {
    this.#db = db
  }

  /** The one in force replaces what was there. */
  async replace(row: PrekeyRow): Promise<void> {
    await this.#db
      .deleteFrom('prekeys')
      .where('member', '=', row.member)
      .where('device', '=', row.device)
      .where('kind', '=', row.kind)
      .execute()
    await this.#db.insertInto('prekeys').values(row).execute()
  }

  /** Known ids change nothing, claimed ones included. */
  async add(rows: readonly PrekeyRow[]): Promise<void> {
    if (rows.length === 0) return
    await this.#db
      .insertInto('prekeys')
      .values([...rows])
      .onConflict((c) => c.columns(['member', 'device', 'kind', 'prekey_id']).doNothing())
      .execute()
  }

  async current(
    member: string,
    device: string,
    kind: 'signed' | 'kem',
  ): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom('prekeys')
      .select('prekey')
      .where('member', '=', member)
      .where('device', '=', device)
      .where('kind', '=', kind)
      .executeTakeFirst()
    return row?.prekey ?? undefined
  }

  /** Undefined where the pool is empty. */
  async claim(member: string, device: string): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom('prekeys')
      .select(['prekey_id', 'prekey'])
      .where('member', '=', member)
      .where('device', '=', device)
      .where('kind', '=', 'one_time')
      .where('prekey', 'is not', null)
      .orderBy('stored_at')
      .limit(1)
      .executeTakeFirst()
    if (row === undefined) return undefined
    await this.#db
      .updateTable('prekeys')
      .set({ prekey: null })
      .where('member', '=', member)
      .where('device', '=', device)
      .where('kind', '=', 'one_time')
      .where('prekey_id', '=', row.prekey_id)
      .execute()
    return row.prekey ?? undefined
  }

  /** As if all of them had been claimed: some may have been, where that is not known any more. */
  async useUp(): Promise<void> {
    await this.#db
      .updateTable('prekeys')
      .set({ prekey: null })
      .where('kind', '=', 'one_time')
      .where('prekey', 'is not', null)
      .execute()
  }

  async oneTimeStock(member: string, device: string): Promise<number> {
    const row = await this.#db
      .selectFrom('prekeys')
      .select((e) => e.fn.countAll<number>().as('stock'))
      .where('member', '=', member)
      .where('device', '=', device)
      .where('kind', '=', 'one_time')
      .where('prekey', 'is not', null)
      .executeTakeFirstOrThrow()
    return Number(row.stock)
  }

  async drop(member: string, device: string): Promise<void> {
    await this.#db
      .deleteFrom('prekeys')
      .where('member', '=', member)
      .where('device', '=', device)
      .execute()
  }

  /** Forgets the ids of prekeys claimed and stored before `before`. */
  async forgetClaimed(before: number): Promise<void> {
    await this.#db
      .deleteFrom('prekeys')
      .where('prekey', 'is', null)
      .where('stored_at', '<', before)
      .execute()
  }
}
