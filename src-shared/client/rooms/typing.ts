/**
 * Who is writing (Sync §8): told as it is said, kept nowhere. What the user does themselves is said to the
 * node at most every few seconds, once, and only where the user lets it.
 */
import type { TypingNews } from '../../api/index.ts'
import { isJoined, userIdOf } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import { displayName } from '../devices/contacts.ts'
import type { Contacts } from '../devices/contacts.ts'
import type { RoomList } from './room-list.ts'
import type { RoomStates } from './room-states.ts'

/** What is said holds for so long, and is said again after the shorter of the two. */
const HOLDS_MS = 20_000
const AGAIN_MS = 8_000
/** A node that says nothing more is not believed for ever. */
const BELIEVED_MS = 5 * 60_000

export interface TypingParts {
  readonly contacts: Contacts
  readonly rooms: RoomList
  readonly states: RoomStates
}

export class TypingNotices {
  readonly #ctx: Context
  readonly #parts: TypingParts
  readonly #lists = new Map<string, readonly string[]>()
  readonly #told = new Map<string, string>()
  #saidIn: string | null = null
  #saidAt = 0
  #unsupported = false
  #forget: () => void = () => undefined
  isOn = false

  constructor(ctx: Context, parts: TypingParts) {
    this.#ctx = ctx
    this.#parts = parts
  }

  /** The node's word: who writes in each of these rooms. */
  take(lists: TypingNews): void {
    const { clock } = this.#ctx
    for (const [room, members] of Object.entries(lists)) this.#lists.set(room, members)
    this.#forget()
    this.#forget = clock.after(BELIEVED_MS, () => {
      this.lost()
    })
    for (const room of Object.keys(lists)) this.#tell(room)
  }

  /** Whoever has sent a message has written it. */
  spoke(room: string, member: string): void {
    const members = this.#lists.get(room)
    if (members?.includes(member) !== true) return
    this.#lists.set(
      room,
      members.filter((one) => one !== member),
    )
    this.#tell(room)
  }

  /** There is no connection: of nobody is known that they write. */
  lost(): void {
    for (const room of this.#lists.keys()) {
      this.#lists.set(room, [])
      this.#tell(room)
    }
  }

  /** The user writes in the room, or no longer does. */
  async write(room: string, on: boolean): Promise<void> {
    const { clock, db } = this.#ctx
    if (this.#unsupported) return
    const since = clock.now() - this.#saidAt
    if (on ? !this.isOn || (this.#saidIn === room && since < AGAIN_MS) : this.#saidIn !== room)
      return
    const entry = await this.#parts.rooms.get(db, room)
    if (entry?.membership !== 'join' || entry.visibility === 'shadow' || entry.memberCount < 2)
      return
    this.#saidIn = on ? room : null
    this.#saidAt = clock.now()
    await this.#say(room, on ? HOLDS_MS : 0)
  }

  async #say(room: string, timeout: number): Promise<void> {
    const { api, life, log } = this.#ctx
    try {
      const call = { params: { roomId: room }, body: { timeout }, cancel: life }
      const answer = await api.call('typing', call)
      // A node from before this.
      if (!answer.ok && answer.refusal.errcode === 'M_UNRECOGNIZED') this.#unsupported = true
    } catch (error) {
      // Said once: whoever would hear it late would be told what is no longer so.
      log('typing.unsaid', { error: error instanceof Error ? error.name : 'unknown' })
    }
  }

  #tell(room: string): void {
    this.#names(room).then(
      (names) => {
        const text = names.join('\n')
        if (text === (this.#told.get(room) ?? '')) return
        this.#told.set(room, text)
        this.#ctx.publish.typing(room, names)
      },
      () => undefined,
    )
  }

  /** Of those whom the room's verified state knows to be in it. */
  async #names(room: string): Promise<string[]> {
    const { db, me } = this.#ctx
    const state = await this.#parts.states.get(db, room)
    const names: string[] = []
    for (const member of this.#lists.get(room) ?? [])
      if (member !== me.member && isJoined(state, member)) {
        const person = await this.#parts.contacts.person(db, member)
        names.push(displayName(person, userIdOf(state, member) ?? member))
      }
    return names
  }
}
