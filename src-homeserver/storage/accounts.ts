/** Accounts of this node, their passwords' hashes, and tokens that allow registration. */
import type { Db, Row } from './schema.ts'

export type Account = Row<'accounts'>

export class Accounts {
  readonly #db: Db
  constructor(db: Db) {
    this.#db = db
  }

  async byMember(member: string): Promise<Account | undefined> {
    return this.#db
      .selectFrom('accounts')
      .selectAll()
      .where('member', '=', member)
      .executeTakeFirst()
  }

  async byName(name: string): Promise<Account | undefined> {
    return this.#db.selectFrom('accounts').selectAll().where('name', '=', name).executeTakeFirst()
  }

  async byMembers(members: readonly string[]): Promise<Account[]> {
    if (members.length === 0) return []
    return this.#db.selectFrom('accounts').selectAll().where('member', 'in', members).execute()
  }

  async insert(account: Account): Promise<void> {
    await this.#db.insertInto('accounts').values(account).execute()
  }

  async hasAdmin(): Promise<boolean> {
    const row = await this.#db
      .selectFrom('accounts')
      .select('member')
      .where('admin', '=', 1)
      .limit(1)
      .executeTakeFirst()
    return row !== undefined
  }

  async setDisplayName(member: string, name: string): Promise<void> {
    await this.#db
      .updateTable('accounts')
      .set({ display_name: name })
      .where('member', '=', member)
      .execute()
  }

  /** Compare-and-swap: false where the head is no longer `from`. */
  async moveHead(member: string, from: string, head: string, height: number): Promise<boolean> {
    const result = await this.#db
      .updateTable('accounts')
      .set({ head, height })
      .where('member', '=', member)
      .where('head', '=', from)
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  async raiseFeedFloor(member: string, floor: number): Promise<void> {
    await this.#db
      .updateTable('accounts')
      .set({ feed_floor: floor })
      .where('member', '=', member)
      .where('feed_floor', '<', floor)
      .execute()
  }

  async putRegistrationToken(token: Row<'registration_tokens'>): Promise<void> {
    await this.#db.insertInto('registration_tokens').values(token).execute()
  }

  /** Tokens made for one name are void once they are made anew. */
  async dropRegistrationTokensFor(name: string): Promise<void> {
    await this.#db.deleteFrom('registration_tokens').where('name', '=', name).execute()
  }

  /** Uses the token up by one; undefined where it is not good for `name`. */
  async useRegistrationToken(
    hash: string,
    name: string,
  ): Promise<Row<'registration_tokens'> | undefined> {
    const token = await this.#db
      .selectFrom('registration_tokens')
      .selectAll()
      .where('token_hash', '=', hash)
      .executeTakeFirst()
    if (token === undefined || token.uses_left < 1) return undefined
    if (token.name !== null && token.name !== name) return undefined
    await this.#db
      .updateTable('registration_tokens')
      .set({ uses_left: token.uses_left - 1 })
      .where('token_hash', '=', hash)
      .execute()
    return token
  }
}
