/** What concerns other servers: their keys and accounts, what waits for them, what was taken from them. */
import type { Db, Row } from './schema.ts'

export type OutboxRow = Row<'outbox'>
export type RemoteAccount = Row<'remote_accounts'>
export type RemoteInvite = Row<'remote_invites'>
export type ServerKeyRow = Row<'server_keys'>
export type KeyDocumentRow = Row<'key_documents'>
export type VouchedKeyRow = Row<'vouched_keys'>

export class Federation {
  readonly #db: Db
  /** Servers for which something waits once the transaction is durable. */
  readonly outbound = new Set<string>()

  constructor(db: Db) {
    this.#db = db
  }

  async keys(server: string): Promise<ServerKeyRow[]> {
    return this.#db.selectFrom('server_keys').selectAll().where('server', '=', server).execute()
  }

  /** A known key stays what it is; only when it ended may become known. */
  async putKey(row: ServerKeyRow): Promise<void> {
    await this.#db
      .insertInto('server_keys')
      .values(row)
      .onConflict((c) =>
        c.columns(['server', 'key_id']).doUpdateSet({ until: row.until, seen_at: row.seen_at }),
      )
      .execute()
  }

  /** What can be passed on about a server's keys: its own word where there is one. */
  async keyDocument(server: string): Promise<KeyDocumentRow | undefined> {
    return this.#db
      .selectFrom('key_documents')
      .selectAll()
      .where('server', '=', server)
      .orderBy('first_hand', 'desc')
      .limit(1)
      .executeTakeFirst()
  }

  async putKeyDocument(row: KeyDocumentRow): Promise<void> {
    const { document, seen_at } = row
    await this.#db
      .insertInto('key_documents')
      .values(row)
      .onConflict((c) => c.columns(['server', 'first_hand']).doUpdateSet({ document, seen_at }))
      .execute()
  }

  async vouchedKeys(server: string): Promise<VouchedKeyRow[]> {
    return this.#db.selectFrom('vouched_keys').selectAll().where('server', '=', server).execute()
  }

  /** What was vouched for first stays. */
  async putVouchedKey(row: VouchedKeyRow): Promise<void> {
    await this.#db
      .insertInto('vouched_keys')
      .values(row)
      .onConflict((c) => c.columns(['server', 'key_id']).doNothing())
      .execute()
  }

  /** The server has spoken for itself, and not of these. */
  async endVouching(server: string, denied: readonly string[]): Promise<void> {
    if (denied.length > 0)
      await this.#db
        .updateTable('vouched_keys')
        .set({ denied: 1 })
        .where('server', '=', server)
        .where('key_id', 'in', denied)
        .execute()
    await this.#db
      .deleteFrom('vouched_keys')
      .where('server', '=', server)
      .where('denied', '=', 0)
      .execute()
    await this.#db
      .deleteFrom('key_documents')
      .where('server', '=', server)
      .where('first_hand', '=', 0)
      .execute()
  }

  /** Servers whose keys are known without a document of their own, by name, from after `after` on. */
  async undocumented(after: string, limit: number): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('vouched_keys')
      .select('server')
      .where('server', '>', after)
      .where('denied', '=', 0)
      .union(
        this.#db
          .selectFrom('server_keys')
          .select('server')
          .where('server', '>', after)
          .where('server', 'not in', (e) =>
            e.selectFrom('key_documents').select('server').where('first_hand', '=', 1),
          ),
      )
      .orderBy('server')
      .limit(limit)
      .execute()
    return rows.map((row) => row.server)
  }

  async account(member: string): Promise<RemoteAccount | undefined> {
    return this.#db
      .selectFrom('remote_accounts')
      .selectAll()
      .where('member', '=', member)
      .executeTakeFirst()
  }

  async accounts(members: readonly string[]): Promise<RemoteAccount[]> {
    if (members.length === 0) return []
    return this.#db
      .selectFrom('remote_accounts')
      .selectAll()
      .where('member', 'in', members)
      .execute()
  }

  /** The latest account that a user id stood for. */
  async accountNamed(userId: string): Promise<RemoteAccount | undefined> {
    return this.#db
      .selectFrom('remote_accounts')
      .selectAll()
      .where('user_id', '=', userId)
      .orderBy('seen_at', 'desc')
      .limit(1)
      .executeTakeFirst()
  }

  async putAccount(row: RemoteAccount): Promise<void> {
    const { member: _member, ...change } = row
    await this.#db
      .insertInto('remote_accounts')
      .values(row)
      .onConflict((c) => c.column('member').doUpdateSet(change))
      .execute()
  }

  async invite(room: string, member: string): Promise<RemoteInvite | undefined> {
    return this.#db
      .selectFrom('remote_invites')
      .selectAll()
      .where('room_id', '=', room)
      .where('member', '=', member)
      .executeTakeFirst()
  }

  async putInvite(row: RemoteInvite): Promise<void> {
    const { room_id: _room, member: _member, ...change } = row
    await this.#db
      .insertInto('remote_invites')
      .values(row)
      .onConflict((c) => c.columns(['room_id', 'member']).doUpdateSet(change))
      .execute()
  }

  async dropInvite(room: string, member: string): Promise<void> {
    await this.#db
      .deleteFrom('remote_invites')
      .where('room_id', '=', room)
      .where('member', '=', member)
      .execute()
  }

  async invitesWaiting(member: string): Promise<number> {
    const row = await this.#db
      .selectFrom('remote_invites')
      .select((e) => e.fn.countAll<number>().as('waiting'))
      .where('member', '=', member)
      .executeTakeFirstOrThrow()
    return Number(row.waiting)
  }

  async enqueue(
    destination: string,
    item: Pick<OutboxRow, 'id' | 'kind' | 'item'>,
    now: number,
  ): Promise<void> {
    const last = await this.#db
      .selectFrom('outbox')
      .select((e) => e.fn.max('seq').as('seq'))
      .where('destination', '=', destination)
      .executeTakeFirst()
    const seq = Number(last?.seq ?? 0) + 1
    await this.#db
      .insertInto('outbox')
      .values({ destination, seq, ...item, stored_at: now })
      .execute()
    this.outbound.add(destination)
  }

  /** What waits, oldest first. */
  async waiting(destination: string, after: number, limit: number): Promise<OutboxRow[]> {
    return this.#db
      .selectFrom('outbox')
      .selectAll()
      .where('destination', '=', destination)
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(limit)
      .execute()
  }

  async destinations(): Promise<{ destination: string; waiting: number }[]> {
    const rows = await this.#db
      .selectFrom('outbox')
      .select(['destination', (e) => e.fn.countAll<number>().as('waiting')])
      .groupBy('destination')
      .execute()
    return rows.map((row) => ({ destination: row.destination, waiting: Number(row.waiting) }))
  }

  async sent(destination: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#db
      .deleteFrom('outbox')
      .where('destination', '=', destination)
      .where('id', 'in', ids)
      .execute()
  }

  /** Every server that there was something to do with. */
  async met(): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('server_keys')
      .select('server')
      .union(this.#db.selectFrom('outbox').select('destination as server'))
      .union(this.#db.selectFrom('memberships').select('server').where('local', '=', 0))
      .execute()
    return rows.map((row) => row.server)
  }

  /** False where the item was taken before. */
  async takeItem(origin: string, id: string, now: number): Promise<boolean> {
    const result = await this.#db
      .insertInto('inbound_items')
      .values({ origin, id, stored_at: now })
      .onConflict((c) => c.columns(['origin', 'id']).doNothing())
      .executeTakeFirst()
    return (result.numInsertedOrUpdatedRows ?? 0n) > 0n
  }

  async forgetItems(before: number): Promise<void> {
    await this.#db.deleteFrom('inbound_items').where('stored_at', '<', before).execute()
  }
}
