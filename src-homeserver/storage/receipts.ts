/** Signed receipts: one per envelope, kind and device. */
import type { Db, Row } from './schema.ts'

export type ReceiptRow = Row<'receipts'>

export class Receipts {
  readonly #db: Db
  constructor(db: Db) {
    this.#db = db
  }

  async has(
    row: Pick<ReceiptRow, 'room_id' | 'envelope_id' | 'kind' | 'member' | 'device'>,
  ): Promise<boolean> {
    const found = await this.#db
      .selectFrom('receipts')
      .select('pos')
      .where('room_id', '=', row.room_id)
      .where('envelope_id', '=', row.envelope_id)
      .where('kind', '=', row.kind)
      .where('member', '=', row.member)
      .where('device', '=', row.device)
      .executeTakeFirst()
    return found !== undefined
  }

  async put(row: ReceiptRow): Promise<void> {
    await this.#db.insertInto('receipts').values(row).execute()
  }

  async at(positions: readonly number[]): Promise<ReceiptRow[]> {
    if (positions.length === 0) return []
    return this.#db
      .selectFrom('receipts')
      .selectAll()
      .where('pos', 'in', positions)
      .orderBy('pos')
      .execute()
  }

  async ofEnvelopes(
    room: string,
    envelopes: readonly string[],
    upTo: number,
  ): Promise<ReceiptRow[]> {
    if (envelopes.length === 0) return []
    return this.#db
      .selectFrom('receipts')
      .selectAll()
      .where('room_id', '=', room)
      .where('envelope_id', 'in', envelopes)
      .where('pos', '<=', upTo)
      .orderBy('pos')
      .execute()
  }
}
