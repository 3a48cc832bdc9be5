/** Rooms that windows have shown to a device, and that nothing was left out of since (Sync §8). */
import type { Db, Row } from './schema.ts'

export type WindowRoom = Row<'window_rooms'>

export class WindowRooms {
  readonly #db: Db
  constructor(db: Db) {
    this.#db = db
  }

  /** By room: those of `rooms` that were shown at or before `upTo`. */
  async among(
    member: string,
    device: string,
    rooms: readonly string[],
    upTo: number,
  ): Promise<Map<string, WindowRoom>> {
    if (rooms.length === 0) return new Map()
    const rows = await this.#db
      .selectFrom('window_rooms')
      .selectAll()
      .where('member', '=', member)
      .where('device', '=', device)
      .where('room_id', 'in', rooms)
      .where('shown_at', '<=', upTo)
      .execute()
    return new Map(rows.map((row) => [row.room_id, row]))
  }

  async put(row: WindowRoom): Promise<void> {
    const { shown_at, first_pos, whole } = row
    await this.#db
      .insertInto('window_rooms')
      .values(row)
      .onConflict((c) =>
        c.columns(['member', 'device', 'room_id']).doUpdateSet({ shown_at, first_pos, whole }),
      )
      .execute()
  }

  /** Whether answers after `pos` have shown rooms. */
  async anyAfter(member: string, device: string, pos: number): Promise<boolean> {
    const row = await this.#db
      .selectFrom('window_rooms')
      .select('room_id')
      .where('member', '=', member)
      .where('device', '=', device)
      .where('shown_at', '>', pos)
      .limit(1)
      .executeTakeFirst()
    return row !== undefined
  }

  /** What answers after `pos` have shown did not arrive. */
  async dropAfter(member: string, device: string, pos: number): Promise<void> {
    await this.#db
      .deleteFrom('window_rooms')
      .where('member', '=', member)
      .where('device', '=', device)
      .where('shown_at', '>', pos)
      .execute()
  }

  /** Something was left out of these. */
  async drop(member: string, device: string, rooms: readonly string[]): Promise<void> {
    if (rooms.length === 0) return
    await this.#db
      .deleteFrom('window_rooms')
      .where('member', '=', member)
      .where('device', '=', device)
      .where('room_id', 'in', rooms)
      .execute()
  }

  async dropAll(member: string, device: string): Promise<void> {
    await this.#db
      .deleteFrom('window_rooms')
      .where('member', '=', member)
      .where('device', '=', device)
      .execute()
  }

  /** The process that the device's sync is at; null where none has said so. */
  async processOf(member: string, device: string): Promise<string | null> {
    const row = await this.#db
      .selectFrom('sync_turns')
      .select('process')
      .where('member', '=', member)
      .where('device', '=', device)
      .executeTakeFirst()
    return row?.process ?? null
  }

  async setProcess(member: string, device: string, process: string): Promise<void> {
    await this.#db
      .insertInto('sync_turns')
      .values({ member, device, process })
      .onConflict((c) => c.columns(['member', 'device']).doUpdateSet({ process }))
      .execute()
  }
}
