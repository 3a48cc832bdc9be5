/**
 * Rooms, who is in them, and their resolved state over time (Room state §7). How state is resolved is
 * decided in `rooms/`; here is what came out of it.
 */
import type { Db, Row } from './schema.ts'

export type MembershipRow = Omit<Row<'memberships'>, 'latest'>
type ListedRoom = Pick<Row<'memberships'>, 'room_id' | 'membership' | 'latest'>
export type RoomRow = Row<'rooms'>

/** Types of state events whose key is a member. */
const OF_MEMBERS = ['e.room.member', 'e.room.roster']

export interface StateChange {
  readonly type: string
  readonly state_key: string
  readonly event_id: string
}

export class Rooms {
  readonly #db: Db
  constructor(db: Db) {
    this.#db = db
  }

  async insert(room: Omit<RoomRow, 'restated_at'>): Promise<void> {
    await this.#db.insertInto('rooms').values(room).execute()
  }

  async get(room: string): Promise<RoomRow | undefined> {
    return this.#db.selectFrom('rooms').selectAll().where('room_id', '=', room).executeTakeFirst()
  }

  /** What came before `pos` does not lead those who follow it to the state. */
  async restate(room: string, pos: number): Promise<void> {
    await this.#db
      .updateTable('rooms')
      .set({ restated_at: pos })
      .where('room_id', '=', room)
      .execute()
  }

  /** Members of whom the event at `pos` has changed what the state says. */
  async membersChangedAt(room: string, pos: number): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('state_changes')
      .select('state_key')
      .distinct()
      .where('room_id', '=', room)
      .where('pos', '=', pos)
      .where('type', 'in', OF_MEMBERS)
      .execute()
    return rows.map((row) => row.state_key)
  }

  async changeState(room: string, pos: number, changes: readonly StateChange[]): Promise<void> {
    for (const { type, state_key, event_id } of changes) {
      await this.#db
        .updateTable('state_changes')
        .set({ current: 0 })
        .where('room_id', '=', room)
        .where('type', '=', type)
        .where('state_key', '=', state_key)
        .where('current', '=', 1)
        .execute()
      await this.#db
        .insertInto('state_changes')
        .values({ room_id: room, type, state_key, pos, event_id, current: 1 })
        .execute()
    }
  }

  /** Ids of the current state events. */
  async currentState(room: string): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('state_changes')
      .select('event_id')
      .where('room_id', '=', room)
      .where('current', '=', 1)
      .where('event_id', '!=', '')
      .execute()
    return rows.map((row) => row.event_id)
  }

  /**
   * Ids of the state events that were in force after position `pos`; of what is said of single members
   * only what concerns `of`, where that is given.
   */
  async stateAt(room: string, pos: number, of?: readonly string[]): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('state_changes as now')
      .select('now.event_id')
      .where('now.room_id', '=', room)
      .where('now.pos', '<=', pos)
      .where('now.event_id', '!=', '')
      .$if(of !== undefined, (query) =>
        query.where((e) =>
          e.or([
            e('now.type', 'not in', OF_MEMBERS),
            e('now.state_key', 'in', [...(of ?? []), '']),
          ]),
        ),
      )
      .where((e) =>
        e.not(
          e.exists(
            e
              .selectFrom('state_changes as later')
              .select('later.pos')
              .whereRef('later.room_id', '=', 'now.room_id')
              .whereRef('later.type', '=', 'now.type')
              .whereRef('later.state_key', '=', 'now.state_key')
              .whereRef('later.pos', '>', 'now.pos')
              .where('later.pos', '<=', pos),
          ),
        ),
      )
      .execute()
    return rows.map((row) => row.event_id)
  }

  /** How one key's event changed, oldest first. */
  async history(
    room: string,
    type: string,
    stateKey: string,
  ): Promise<
    { pos: number; event_id: string; member: string | null; membership: string | null }[]
  > {
    return this.#db
      .selectFrom('state_changes')
      .leftJoin('events', 'events.event_id', 'state_changes.event_id')
      .select(['state_changes.pos', 'state_changes.event_id', 'events.member', 'events.membership'])
      .where('state_changes.room_id', '=', room)
      .where('state_changes.type', '=', type)
      .where('state_changes.state_key', '=', stateKey)
      .orderBy('state_changes.pos')
      .execute()
  }

  async setMembership(row: MembershipRow): Promise<void> {
    const { room_id: _room, member: _member, ...stated } = row
    const entered = row.membership !== 'leave' && row.membership !== 'ban'
    const change = entered ? { ...stated, latest: row.pos } : stated
    await this.#db
      .insertInto('memberships')
      .values({ ...row, latest: row.pos })
      .onConflict((c) => c.columns(['room_id', 'member']).doUpdateSet(change))
      .execute()
  }

  /** A message at `pos`: the room moves up in the lists of its members here. */
  async moveUp(room: string, pos: number): Promise<void> {
    await this.#db
      .updateTable('memberships')
      .set({ latest: pos })
      .where('room_id', '=', room)
      .where('local', '=', 1)
      .where('membership', '=', 'join')
      .execute()
  }

  /** The member's rooms, latest first: those at `first` to `last` of the list, both included. */
  async listed(
    member: string,
    memberships: readonly MembershipRow['membership'][],
    first: number,
    last: number,
  ): Promise<ListedRoom[]> {
    return this.#db
      .selectFrom('memberships')
      .select(['room_id', 'membership', 'latest'])
      .where('member', '=', member)
      .where('membership', 'in', memberships)
      .orderBy('latest', 'desc')
      .orderBy('room_id', 'desc')
      .offset(first)
      .limit(last - first + 1)
      .execute()
  }

  async countListed(
    member: string,
    memberships: readonly MembershipRow['membership'][],
  ): Promise<number> {
    const row = await this.#db
      .selectFrom('memberships')
      .select((e) => e.fn.countAll<number>().as('rooms'))
      .where('member', '=', member)
      .where('membership', 'in', memberships)
      .executeTakeFirstOrThrow()
    return Number(row.rooms)
  }

  /** How many of a room's members stand so. */
  async countMembers(room: string, membership: MembershipRow['membership']): Promise<number> {
    const row = await this.#db
      .selectFrom('memberships')
      .select((e) => e.fn.countAll<number>().as('members'))
      .where('room_id', '=', room)
      .where('membership', '=', membership)
      .executeTakeFirstOrThrow()
    return Number(row.members)
  }

  async membership(room: string, member: string): Promise<MembershipRow | undefined> {
    return this.#db
      .selectFrom('memberships')
      .selectAll()
      .where('room_id', '=', room)
      .where('member', '=', member)
      .executeTakeFirst()
  }

  /** Members here who take part in what happens in the room. */
  async localMembers(
    room: string,
    memberships: readonly MembershipRow['membership'][],
  ): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('memberships')
      .select('member')
      .where('room_id', '=', room)
      .where('local', '=', 1)
      .where('membership', 'in', memberships)
      .execute()
    return rows.map((row) => row.member)
  }

  /** Servers with members of these kinds. */
  async servers(
    room: string,
    memberships: readonly MembershipRow['membership'][],
  ): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('memberships')
      .select('server')
      .distinct()
      .where('room_id', '=', room)
      .where('membership', 'in', memberships)
      .execute()
    return rows.map((row) => row.server)
  }

  /** Other servers with joined members, those that have been in it longest first. */
  async residents(room: string): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('memberships')
      .select(['server', (e) => e.fn.min('pos').as('since')])
      .where('room_id', '=', room)
      .where('membership', '=', 'join')
      .where('local', '=', 0)
      .groupBy('server')
      .orderBy('since')
      .execute()
    return rows.map((row) => row.server)
  }

  /** What the room knows of a server's members. */
  async membersOf(room: string, server: string): Promise<MembershipRow[]> {
    return this.#db
      .selectFrom('memberships')
      .selectAll()
      .where('room_id', '=', room)
      .where('server', '=', server)
      .execute()
  }

  /** Rooms with members of `server` that stand so, by room id, from after `after` on. */
  async ofServer(
    server: string,
    memberships: readonly MembershipRow['membership'][],
    after: string,
    limit: number,
  ): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('memberships')
      .select('room_id')
      .distinct()
      .where('server', '=', server)
      .where('room_id', '>', after)
      .where('membership', 'in', memberships)
      .orderBy('room_id')
      .limit(limit)
      .execute()
    return rows.map((row) => row.room_id)
  }

  /** Members here that share a room with somebody of `server`. */
  async localMembersAround(server: string): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('memberships as theirs')
      .innerJoin('memberships as own', 'own.room_id', 'theirs.room_id')
      .select('own.member')
      .distinct()
      .where('theirs.server', '=', server)
      .where('own.local', '=', 1)
      .execute()
    return rows.map((row) => row.member)
  }

  /** Other servers that share a room with `member`. */
  async serversAround(member: string): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('memberships as own')
      .innerJoin('memberships as peer', 'peer.room_id', 'own.room_id')
      .select('peer.server')
      .distinct()
      .where('own.member', '=', member)
      .where('own.membership', 'in', ['join', 'invite'])
      .where('peer.membership', 'in', ['join', 'invite'])
      .where('peer.local', '=', 0)
      .execute()
    return rows.map((row) => row.server)
  }

  /** By room id, from `after` on. */
  async ofMember(
    member: string,
    memberships: readonly MembershipRow['membership'][],
    after = '',
    limit = 1_000_000,
  ): Promise<MembershipRow[]> {
    return this.#db
      .selectFrom('memberships')
      .selectAll()
      .where('member', '=', member)
      .where('membership', 'in', memberships)
      .where('room_id', '>', after)
      .orderBy('room_id')
      .limit(limit)
      .execute()
  }

  /** Members here who share a room with `member`, without the member itself. */
  async localPeers(member: string): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('memberships as own')
      .innerJoin('memberships as peer', 'peer.room_id', 'own.room_id')
      .select('peer.member')
      .distinct()
      .where('own.member', '=', member)
      .where('own.membership', 'in', ['join', 'invite'])
      .where('peer.membership', 'in', ['join', 'invite'])
      .where('peer.local', '=', 1)
      .where('peer.member', '!=', member)
      .execute()
    return rows.map((row) => row.member)
  }
}
