/** Wraps of content keys, each for one device, beside the event they open (Rosters and wraps §6). */
import type { Db, Row } from './schema.ts'

export type WrapRow = Row<'wraps'>

export class Wraps {
  readonly #db: Db
  constructor(db: Db) {
    this.#db = db
  }

  async put(rows: readonly WrapRow[]): Promise<void> {
    if (rows.length === 0) return
    await this.#db
      .insertInto('wraps')
      .values([...rows])
      .execute()
  }

  /** Those that are there already stay as they are. */
  async putNew(rows: readonly WrapRow[]): Promise<void> {
    if (rows.length === 0) return
    await this.#db
      .insertInto('wraps')
      .values([...rows])
      .onConflict((c) => c.columns(['member', 'device', 'event_id']).doNothing())
      .execute()
  }

  /** By event id. */
  async forEvents(
    member: string,
    device: string,
    events: readonly string[],
  ): Promise<Map<string, string>> {
    const rows = await this.placed(member, device, events)
    return new Map([...rows].map(([event, { wrap }]) => [event, wrap]))
  }

  /** By event id, with the position from which on each is told. */
  async placed(
    member: string,
    device: string,
    events: readonly string[],
  ): Promise<Map<string, Pick<WrapRow, 'wrap' | 'pos'>>> {
    if (events.length === 0) return new Map()
    const rows = await this.#db
      .selectFrom('wraps')
      .select(['event_id', 'wrap', 'pos'])
      .where('member', '=', member)
      .where('device', '=', device)
      .where('event_id', 'in', events)
      .execute()
    return new Map(rows.map((row) => [row.event_id, row]))
  }

  /** Those of events in (`after`, `upTo`]. */
  async dropBetween(member: string, device: string, after: number, upTo: number): Promise<void> {
    await this.#db
      .deleteFrom('wraps')
      .where('member', '=', member)
      .where('device', '=', device)
      .where('pos', '>', after)
      .where('pos', '<=', upTo)
      .execute()
  }

  /**
   * Those in (`after`, `upTo`] of events that windows have given: of rooms shown before the event came,
   * and of which nothing was left out since.
   */
  async dropShown(member: string, device: string, after: number, upTo: number): Promise<void> {
    await this.#db
      .deleteFrom('wraps')
      .where('member', '=', member)
      .where('device', '=', device)
      .where('pos', '>', after)
      .where('pos', '<=', upTo)
      .where((e) =>
        e.exists(
          e
            .selectFrom('events')
            .innerJoin('window_rooms', 'window_rooms.room_id', 'events.room_id')
            .select('events.event_id')
            .whereRef('events.event_id', '=', 'wraps.event_id')
            .whereRef('window_rooms.member', '=', 'wraps.member')
            .whereRef('window_rooms.device', '=', 'wraps.device')
            .whereRef('window_rooms.shown_at', '<', 'wraps.pos'),
        ),
      )
      .execute()
  }

  async drop(member: string, device: string): Promise<void> {
    await this.#db
      .deleteFrom('wraps')
      .where('member', '=', member)
      .where('device', '=', device)
      .execute()
  }

  async dropBefore(pos: number): Promise<void> {
    await this.#db.deleteFrom('wraps').where('pos', '<=', pos).execute()
  }
}
