/** Events with their graph: what arrived, in the order of arrival, and which events no other follows. */
import type { Db, Row } from './schema.ts'

export type EventRow = Row<'events'>
export type NewEventRow = Omit<EventRow, 'soft_failed' | 'sole'>

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
    row: NewEventRow,
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

  /** The highest `seq` of a device in a room, or null. What was refused may be anybody's and counts for nothing. */
  async lastSeq(room: string, member: string, device: string): Promise<number | null> {
    const row = await this.#db
      .selectFrom('events')
      .select((e) => e.fn.max('seq').as('seq'))
      .where('room_id', '=', room)
      .where('member', '=', member)
      .where('device', '=', device)
      .where('rejected', '=', 0)
      .executeTakeFirst()
    const seq = row?.seq ?? null
    return seq === null ? null : Number(seq)
  }

  /** What clients may be shown of a room: neither refused nor soft-failed (Room state §8.10). */
  #shown(room: string) {
    return this.#db
      .selectFrom('events')
      .where('room_id', '=', room)
      .where('rejected', '=', 0)
      .where('soft_failed', '=', 0)
  }

  /** Newest first, inside one of `spans`, before `before`. */
  async latest(
    room: string,
    spans: readonly Span[],
    before: number,
    limit: number,
  ): Promise<EventRow[]> {
    if (spans.length === 0) return []
    return this.#shown(room)
      .selectAll()
      .where('pos', '<', before)
      .where((e) => e.or(spans.map(({ from, to }) => e.between('pos', from, to))))
      .orderBy('pos', 'desc')
      .limit(limit)
      .execute()
  }

  /** Oldest first, inside one of `spans`, from position `from` on. */
  async earliest(
    room: string,
    spans: readonly Span[],
    from: number,
    limit: number,
  ): Promise<EventRow[]> {
    if (spans.length === 0) return []
    return this.#shown(room)
      .selectAll()
      .where('pos', '>=', from)
      .where((e) => e.or(spans.map(({ from, to }) => e.between('pos', from, to))))
      .orderBy('pos')
      .limit(limit)
      .execute()
  }

  /** Whether an event of `member` was shown at a position between the two, both included. */
  async spokeBetween(room: string, member: string, from: number, to: number): Promise<boolean> {
    const row = await this.#shown(room)
      .select('event_id')
      .where('member', '=', member)
      .where('pos', '>=', from)
      .where('pos', '<=', to)
      .limit(1)
      .executeTakeFirst()
    return row !== undefined
  }

  /** Oldest first. */
  async extremities(room: string): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('extremities')
      .innerJoin('events', 'events.event_id', 'extremities.event_id')
      .select('extremities.event_id')
      .where('extremities.room_id', '=', room)
      .orderBy('events.pos')
      .execute()
    return rows.map((row) => row.event_id)
  }

  /** Whether the server has made any of them up to this position. */
  async hasOrigin(room: string, origin: string, upTo: number): Promise<boolean> {
    const row = await this.#db
      .selectFrom('events')
      .select('event_id')
      .where('room_id', '=', room)
      .where('origin', '=', origin)
      .where('pos', '<=', upTo)
      .limit(1)
      .executeTakeFirst()
    return row !== undefined
  }

  async mark(event: string, facts: { soft_failed?: number; sole?: number }): Promise<void> {
    await this.#db.updateTable('events').set(facts).where('event_id', '=', event).execute()
  }

  /** Those of `ids` that are known, rejected ones included. */
  async known(ids: readonly string[]): Promise<Set<string>> {
    if (ids.length === 0) return new Set()
    const rows = await this.#db
      .selectFrom('events')
      .select('event_id')
      .where('event_id', 'in', ids)
      .execute()
    return new Set(rows.map((row) => row.event_id))
  }

  /** Of the room, rejected ones included. */
  async count(room: string): Promise<number> {
    const { total } = await this.#db
      .selectFrom('events')
      .select((e) => e.fn.countAll<number | string>().as('total'))
      .where('room_id', '=', room)
      .executeTakeFirstOrThrow()
    return Number(total)
  }

  /** The room's events in this node's order, newest first, from `upTo` downwards. */
  async before(room: string, upTo: number, limit: number): Promise<EventRow[]> {
    return this.#db
      .selectFrom('events')
      .selectAll()
      .where('room_id', '=', room)
      .where('pos', '<=', upTo)
      .orderBy('pos', 'desc')
      .limit(limit)
      .execute()
  }

  /** As `before`, only what it takes to walk the graph. */
  async graphBefore(
    room: string,
    upTo: number,
    limit: number,
  ): Promise<{ event_id: string; pos: number; rejected: number; parents: string[] }[]> {
    const rows = await this.#db
      .selectFrom('events')
      .select(['event_id', 'pos', 'rejected'])
      .where('room_id', '=', room)
      .where('pos', '<=', upTo)
      .orderBy('pos', 'desc')
      .limit(limit)
      .execute()
    const parents = new Map<string, string[]>(rows.map((row) => [row.event_id, []]))
    if (rows.length > 0) {
      const edges = await this.#db
        .selectFrom('event_edges')
        .select(['event_id', 'parent_id'])
        .where('kind', '=', 'prev')
        .where('event_id', 'in', [...parents.keys()])
        .execute()
      for (const { event_id, parent_id } of edges) parents.get(event_id)?.push(parent_id)
    }
    return rows.map((row) => ({ ...row, parents: parents.get(row.event_id) ?? [] }))
  }

  /** Takes the bodies away whose time has come, and no longer looks for them. */
  async expire(now: number): Promise<void> {
    await this.#db
      .updateTable('events')
      .set({ body: null, expires_at: null })
      .where('expires_at', '<=', now)
      .execute()
  }

  /** Gives a withheld body back. */
  async fill(event: string, body: string): Promise<void> {
    await this.#db.updateTable('events').set({ body }).where('event_id', '=', event).execute()
  }

  /** In this node's order, oldest first, from after `pos` up to `upTo`. */
  async between(room: string, pos: number, upTo: number, limit: number): Promise<EventRow[]> {
    return this.#db
      .selectFrom('events')
      .selectAll()
      .where('room_id', '=', room)
      .where('rejected', '=', 0)
      .where('pos', '>', pos)
      .where('pos', '<=', upTo)
      .orderBy('pos')
      .limit(limit)
      .execute()
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
