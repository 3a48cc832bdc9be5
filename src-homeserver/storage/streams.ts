/**
 * Positions and feeds (Sync §8): everything that happens gets one position, and one row for each
 * account here that it concerns. What a device has missed is a range of its account's rows.
 */
import type { Db, StreamKind } from './schema.ts'

export interface StreamItem {
  readonly pos: number
  readonly kind: StreamKind
  readonly room_id: string | null
  readonly ref: string
}

/** A whole account, or one of its devices. */
export interface Audience {
  readonly member: string
  readonly device?: string
}

export class Streams {
  readonly #db: Db
  /** Accounts to wake once the transaction is durable. */
  readonly woken = new Set<string>()

  constructor(db: Db) {
    this.#db = db
  }

  /** Takes a position; nobody hears of it until `tell`. */
  async take(kind: StreamKind, ref: string, room: string | null, now: number): Promise<number> {
    const row = await this.#db
      .insertInto('stream')
      .values({ kind, ref, room_id: room, stored_at: now })
      .returning('pos')
      .executeTakeFirstOrThrow()
    return Number(row.pos)
  }

  async tell(pos: number, audience: readonly Audience[]): Promise<void> {
    if (audience.length === 0) return
    const rows = audience.map(({ member, device }) => ({ member, pos, device: device ?? '' }))
    await this.#db.insertInto('feed').values(rows).execute()
    for (const { member } of rows) this.woken.add(member)
  }

  async append(
    kind: StreamKind,
    ref: string,
    room: string | null,
    audience: readonly Audience[],
    now: number,
  ): Promise<number> {
    const pos = await this.take(kind, ref, room, now)
    await this.tell(pos, audience)
    return pos
  }

  /** The last position handed out; 0 in a new node. */
  async head(): Promise<number> {
    const row = await this.#db
      .selectFrom('stream')
      .select('pos')
      .orderBy('pos', 'desc')
      .limit(1)
      .executeTakeFirst()
    return Number(row?.pos ?? 0)
  }

  /** The last position taken at or before `time`; null where there is none. */
  async positionAt(time: number): Promise<number | null> {
    const row = await this.#db
      .selectFrom('stream')
      .select('pos')
      .where('stored_at', '<=', time)
      .orderBy('pos', 'desc')
      .limit(1)
      .executeTakeFirst()
    return row === undefined ? null : Number(row.pos)
  }

  /** What concerns this device after `since`, oldest first. */
  async after(member: string, device: string, since: number, limit: number): Promise<StreamItem[]> {
    return this.#db
      .selectFrom('feed')
      .innerJoin('stream', 'stream.pos', 'feed.pos')
      .select(['stream.pos', 'stream.kind', 'stream.room_id', 'stream.ref'])
      .where('feed.member', '=', member)
      .where('feed.pos', '>', since)
      .where('feed.device', 'in', ['', device])
      .orderBy('feed.pos')
      .limit(limit)
      .execute()
  }

  /** Forgets an account's rows up to `pos`; the caller has raised its floor. */
  async prune(member: string, pos: number): Promise<void> {
    await this.#db.deleteFrom('feed').where('member', '=', member).where('pos', '<=', pos).execute()
  }
}
