/** Events with their graph: what arrived, in the order of arrival, and which events no other follows. */
import type { Db, Row } from './schema.ts'

export type EventRow = Row<'events'>

/** Positions of a room, both ends included. */
export interface Span {
  readonly from: number
  readonly to: number
}

export class Events {
  readonly #db: Db
  constructor(db: Db) {
    this.#db = db
  }

  async insert(
    row: EventRow,
    edges: { readonly prev: readonly string[]; readonly auth: readonly string[] },
  ): Promise<void> {
    await this.#db.insertInto('events').values(row).execute()
    const rows = (['prev', 'auth'] as const).flatMap((kind) =>
      edges[kind].map((parent_id, ord) => ({ event_id: row.event_id, kind, ord, parent_id })),
    )
    if (rows.length > 0) await this.#db.insertInto('event_edges').values(rows).execute()
    if (row.rejected === 1) return
    if (edges.prev.length > 0)
      await this.#db
        .deleteFrom('extremities')
        .where('room_id', '=', row.room_id)
        .where('event_id', 'in', edges.prev)
        .execute()
    await this.#db
      .insertInto('extremities')
      .values({ room_id: row.room_id, event_id: row.event_id })
      .execute()
  }

  async byIds(ids: readonly string[]): Promise<EventRow[]> {
    if (ids.length === 0) return []
    return this.#db.selectFrom('events').selectAll().where('event_id', 'in', ids).execute()
  }

  async byEnvelope(room: string, envelope: string): Promise<EventRow | undefined> {
    return this.#db
      .selectFrom('events')
      .selectAll()
      .where('room_id', '=', room)
      .where('envelope_id', '=', envelope)
      .where('rejected', '=', 0)
      .executeTakeFirst()
  }

  /** The highest `seq` of a device in a room, or null. */
  async lastSeq(room: string, member: string, device: string): Promise<number | null> {
    const row = await this.#db
      .selectFrom('events')
      .select((e) => e.fn.max('seq').as('seq'))
      .where('room_id', '=', room)
      .where('member', '=', member)
      .where('device', '=', device)
      .executeTakeFirst()
    const seq = row?.seq ?? null
    return seq === null ? null : Number(seq)
  }

  /** Newest first, inside one of `spans`, before `before`. */
  async latest(
    room: string,
    spans: readonly Span[],
    before: number,
    limit: number,
  ): Promise<EventRow[]> {
    if (spans.length === 0) return []
    return this.#db
      .selectFrom('events')
      .selectAll()
      .where('room_id', '=', room)
      .where('rejected', '=', 0)
      .where('pos', '<', before)
      .where((e) => e.or(spans.map(({ from, to }) => e.between('pos', from, to))))
      .orderBy('pos', 'desc')
      .limit(limit)
      .execute()
  }

  async extremities(room: string): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('extremities')
      .select('event_id')
      .where('room_id', '=', room)
      .orderBy('event_id')
      .execute()
    return rows.map((row) => row.event_id)
  }

  /** Takes the body away; ids and signatures stay. */
  async redact(event: string, by: string): Promise<void> {
    await this.#db
      .updateTable('events')
      .set({ body: null, redacted_by: by })
      .where('event_id', '=', event)
      .execute()
  }
}
