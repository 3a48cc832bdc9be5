/** Devices of the accounts here, their tokens (as hashes only) and the pairing relay. */
import type { Db, Row } from './schema.ts'

export type Device = Row<'devices'>
export type PairingStep = Row<'pairings'>['step']

export class Devices {
  readonly #db: Db
  constructor(db: Db) {
    this.#db = db
  }

  async get(member: string, device: string): Promise<Device | undefined> {
    return this.#db
      .selectFrom('devices')
      .selectAll()
      .where('member', '=', member)
      .where('device', '=', device)
      .executeTakeFirst()
  }

  async list(member: string): Promise<Device[]> {
    return this.#db.selectFrom('devices').selectAll().where('member', '=', member).execute()
  }

  async active(members: readonly string[]): Promise<Pick<Device, 'member' | 'device'>[]> {
    if (members.length === 0) return []
    return this.#db
      .selectFrom('devices')
      .select(['member', 'device'])
      .where('member', 'in', members)
      .where('status', '=', 'active')
      .execute()
  }

  /** Asked to be let in before `time` and nobody answered. */
  async pendingSince(time: number): Promise<Device[]> {
    return this.#db
      .selectFrom('devices')
      .selectAll()
      .where('status', '=', 'pending')
      .where('requested_at', '<', time)
      .execute()
  }

  /** What every device that still comes has stored, by account. */
  async storedByAll(seenAfter: number): Promise<{ member: string; acked: number }[]> {
    const rows = await this.#db
      .selectFrom('devices')
      .select(['member', (e) => e.fn.min('acked').as('acked')])
      .where('status', '!=', 'removed')
      .where((e) => e.or([e('last_seen', '>', seenAfter), e('requested_at', '>', seenAfter)]))
      .groupBy('member')
      .execute()
    return rows.map(({ member, acked }) => ({ member, acked: Number(acked) }))
  }

  async insert(device: Device): Promise<void> {
    await this.#db.insertInto('devices').values(device).execute()
  }

  async update(
    member: string,
    device: string,
    change: Partial<Omit<Device, 'member' | 'device' | 'keys'>>,
  ): Promise<void> {
    await this.#db
      .updateTable('devices')
      .set(change)
      .where('member', '=', member)
      .where('device', '=', device)
      .execute()
  }

  async delete(member: string, device: string): Promise<void> {
    await this.dropTokens(member, device)
    await this.dropPairing(member, device)
    await this.#db
      .deleteFrom('window_rooms')
      .where('member', '=', member)
      .where('device', '=', device)
      .execute()
    await this.#db
      .deleteFrom('devices')
      .where('member', '=', member)
      .where('device', '=', device)
      .execute()
  }

  async putToken(token: Row<'tokens'>): Promise<void> {
    await this.#db.insertInto('tokens').values(token).execute()
  }

  /** The device a token speaks for, whatever its status; undefined for an unknown or expired token. */
  async byToken(hash: string, now: number): Promise<(Device & { user_id: string }) | undefined> {
    return this.#db
      .selectFrom('tokens')
      .innerJoin('devices', (join) =>
        join
          .onRef('devices.member', '=', 'tokens.member')
          .onRef('devices.device', '=', 'tokens.device'),
      )
      .innerJoin('accounts', 'accounts.member', 'tokens.member')
      .selectAll('devices')
      .select('accounts.user_id')
      .where('tokens.token_hash', '=', hash)
      .where((e) => e.or([e('tokens.expires_at', 'is', null), e('tokens.expires_at', '>', now)]))
      .executeTakeFirst()
  }

  async dropToken(hash: string): Promise<void> {
    await this.#db.deleteFrom('tokens').where('token_hash', '=', hash).execute()
  }

  async dropTokens(member: string, device: string): Promise<void> {
    await this.#db
      .deleteFrom('tokens')
      .where('member', '=', member)
      .where('device', '=', device)
      .execute()
  }

  async dropExpiredTokens(now: number): Promise<void> {
    await this.#db.deleteFrom('tokens').where('expires_at', '<=', now).execute()
  }

  async putPairing(row: Row<'pairings'>): Promise<void> {
    await this.#db
      .insertInto('pairings')
      .values(row)
      .onConflict((c) =>
        c
          .columns(['member', 'device', 'step'])
          .doUpdateSet({ message: row.message, stored_at: row.stored_at }),
      )
      .execute()
  }

  async pairings(member: string): Promise<Row<'pairings'>[]> {
    return this.#db
      .selectFrom('pairings')
      .selectAll()
      .where('member', '=', member)
      .orderBy('device')
      .execute()
  }

  /** All steps, or only those named. */
  async dropPairing(
    member: string,
    device: string,
    steps: readonly PairingStep[] = ['start', 'answer', 'reveal', 'verdict'],
  ): Promise<void> {
    if (steps.length === 0) return
    await this.#db
      .deleteFrom('pairings')
      .where('member', '=', member)
      .where('device', '=', device)
      .where('step', 'in', steps)
      .execute()
  }
}
