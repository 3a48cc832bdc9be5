/** Messages to single devices, kept until the device's position has passed them. */
import type { Db, Row } from './schema.ts'

export type ToDeviceRow = Row<'to_device'>

export class ToDevice {
  readonly #db: Db
  constructor(db: Db) {
    this.#db = db
  }

  async put(row: ToDeviceRow): Promise<void> {
    await this.#db.insertInto('to_device').values(row).execute()
  }

  async at(member: string, device: string, positions: readonly number[]): Promise<ToDeviceRow[]> {
    if (positions.length === 0) return []
    return this.#db
      .selectFrom('to_device')
      .selectAll()
      .where('member', '=', member)
      .where('device', '=', device)
      .where('pos', 'in', positions)
      .execute()
  }

  /** Everything waiting after `since`, up to and including `until`; oldest first. */
  async between(
    member: string,
    device: string,
    since: number,
    until: number,
    limit: number,
  ): Promise<ToDeviceRow[]> {
    return this.#db
      .selectFrom('to_device')
      .selectAll()
      .where('member', '=', member)
      .where('device', '=', device)
      .where('pos', '>', since)
      .where('pos', '<=', until)
      .orderBy('pos')
      .limit(limit)
      .execute()
  }

  async waiting(member: string, device: string): Promise<number> {
    const row = await this.#db
      .selectFrom('to_device')
      .select((e) => e.fn.countAll<number>().as('waiting'))
      .where('member', '=', member)
      .where('device', '=', device)
      .executeTakeFirstOrThrow()
    return Number(row.waiting)
  }

  /** Up to `pos`, or all of them. */
  async drop(member: string, device: string, pos?: number): Promise<void> {
    const query = this.#db
      .deleteFrom('to_device')
      .where('member', '=', member)
      .where('device', '=', device)
    await (pos === undefined ? query : query.where('pos', '<=', pos)).execute()
  }
}
