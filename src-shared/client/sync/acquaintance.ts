/**
 * Getting to know those whom a sync names: their manifests as far as rosters speak of them, their names,
 * the signing keys of nodes. All of it is asked for before a step begins that needs it.
 */
import { readContent, STATE_TYPES } from '../../protocol/index.ts'
import type { Pdu } from '../../protocol/index.ts'
import type { SyncResponse } from '../../api/index.ts'
import type { Context } from '../context.ts'
import { displayName } from '../devices/contacts.ts'
import type { Contacts } from '../devices/contacts.ts'
import type { OriginKeyBook } from '../rooms/origin-keys.ts'
import type { RoomList } from '../rooms/room-list.ts'
import type { RoomStates } from '../rooms/room-states.ts'
import type { Step } from '../store/database.ts'

export interface AcquaintanceParts {
  readonly contacts: Contacts
  readonly rooms: RoomList
  readonly states: RoomStates
  readonly originKeys: OriginKeyBook
}

interface Named {
  readonly member: string
  readonly userId: string
  readonly name: string
}

export class Acquaintance {
  readonly #ctx: Context
  readonly #parts: AcquaintanceParts

  constructor(ctx: Context, parts: AcquaintanceParts) {
    this.#ctx = ctx
    this.#parts = parts
  }

  /** Everyone who occurs and is not known as far as they should be. Throws `Unanswered`. */
  async meetAll(response: SyncResponse, pdus: readonly Pdu[]): Promise<void> {
    const { db } = this.#ctx
    const { contacts } = this.#parts
    for (const { user_id, member, head, height } of response.manifests)
      if (!(await contacts.knowsHead(db, member, head, height)))
        await contacts.refresh(user_id, member)
    await this.meet(pdus)
    for (const { user_id: userId, message } of response.to_device) {
      const { member, device } = message.sender
      if ((await contacts.device(db, member, device)) === null)
        await contacts.refresh(userId, member)
    }
  }

  /** Nodes not met before, and those with a new signing key. */
  async #knowOrigins(pdus: readonly Pdu[]): Promise<void> {
    const { db, me } = this.#ctx
    const { originKeys } = this.#parts
    const keys = await originKeys.lookup(db)
    const unknown = new Set(
      pdus
        .filter(({ event, event_sig }) => keys(event.origin, event_sig.key_id) === undefined)
        .map(({ event }) => event.origin),
    )
    for (const server of unknown)
      await (server === me.serverName ? originKeys.fetchOwn() : originKeys.fetch(server))
  }

  /** Those whom state events name, and the nodes the events come from. Throws `Unanswered`. */
  async meet(pdus: readonly Pdu[]): Promise<void> {
    const { db } = this.#ctx
    const { contacts, states } = this.#parts
    await this.#knowOrigins(pdus)
    for (const pdu of pdus) {
      const { type, state_key: member } = pdu.envelope
      if (type !== STATE_TYPES.member && type !== STATE_TYPES.roster) continue
      const event = states.decode(pdu)
      if (event === null || member === undefined) continue
      const roster = readContent(event, STATE_TYPES.roster)
      const stated = roster ?? readContent(event, STATE_TYPES.member)
      if (stated === null) continue
      const known =
        roster === null
          ? (await contacts.manifest(db, member)) !== null
          : await contacts.knowsHead(db, member, roster.head, roster.height)
      if (!known) await this.#getToKnow(stated.user_id, member)
    }
  }

  async #getToKnow(userId: string, member: string): Promise<void> {
    const { api, db, life } = this.#ctx
    const { contacts } = this.#parts
    const refreshed = await contacts.refresh(userId, member)
    const person = await contacts.person(db, member)
    if (!refreshed.ok || person === null || person.name !== '') return
    const profile = await api.call('profile', { params: { userId }, cancel: life })
    if (!profile.ok) return
    await db.step('person', (step) => this.rename(step, userId, profile.value.display_name))
  }

  /** The name that a user id goes by, wherever it is shown. */
  async rename(step: Step, userId: string, name: string): Promise<void> {
    const { contacts, rooms } = this.#parts
    const member = await contacts.pinned(step, userId)
    if (member === null) return
    await contacts.setName(step, member, userId, name)
    for (const entry of await rooms.all(step))
      if (entry.peer?.member === member || entry.inviter?.member === member)
        await rooms.put(step, await this.named(step, entry))
  }

  /** Fills in the names of those the summary shows. */
  async named<E extends { peer: Named | null; inviter: Named | null }>(
    step: Step,
    entry: E,
  ): Promise<E> {
    const name = async (one: Named | null): Promise<Named | null> => {
      if (one === null) return null
      const person = await this.#parts.contacts.person(step, one.member)
      return { ...one, name: displayName(person, one.userId) }
    }
    return { ...entry, peer: await name(entry.peer), inviter: await name(entry.inviter) }
  }
}
