/**
 * What is looked at (Sync §8): the top of the room list, the room that is open, and, until every room is
 * known once, the rest of the list piece by piece. It decides; the sync asks.
 */
import type { Look, SyncResponse } from '../../api/index.ts'
import type { Context } from '../context.ts'
import type { RoomList } from '../rooms/room-list.ts'

/** Rooms at the top of the list. Whatever is written moves its room there. */
const TOP = 40
const TIMELINE = 20
/** Rooms of the rest of the list, looked at in passing. */
const PIECE = 100
const PIECE_TIMELINE = 5

export class Looking {
  readonly #ctx: Context
  readonly #rooms: RoomList
  #top = new Set<string>()
  #count: number | null = null
  /** Where the next piece begins; null once every room was passed. */
  #rest: number | null = TOP
  #open: string | null = null
  #openIsFollowed = false
  /** Of whom one wants to know that they write: those in the room that is open. */
  #typing: string | null = null

  constructor(ctx: Context, rooms: RoomList) {
    this.#ctx = ctx
    this.#rooms = rooms
  }

  get look(): Look {
    const rest = this.#rest !== null && this.#rest > TOP ? this.#rest - PIECE : null
    return {
      lists: {
        top: { ranges: [[0, TOP - 1]], timeline: TIMELINE },
        ...(rest === null
          ? {}
          : { rest: { ranges: [[rest, rest + PIECE - 1]], timeline: PIECE_TIMELINE } }),
      },
      ...(this.#open !== null && this.#openIsFollowed
        ? { rooms: { [this.#open]: { timeline: TIMELINE } } }
        : {}),
      ...(this.#typing === null ? {} : { typing: [this.#typing] }),
    }
  }

  /** Whether something else is looked at from now on. */
  async open(room: string | null): Promise<boolean> {
    const { followed, typing } = { followed: this.#openIsFollowed, typing: this.#typing }
    this.#open = room
    await this.#lookAtOpen()
    return followed || this.#openIsFollowed || typing !== this.#typing
  }

  async #lookAtOpen(): Promise<void> {
    this.#openIsFollowed = await this.#isToBeFollowed()
    const entry = this.#open === null ? null : await this.#rooms.get(this.#ctx.db, this.#open)
    const isShown = entry?.membership === 'join' && !entry.creating && entry.visibility !== 'shadow'
    this.#typing = isShown ? this.#open : null
  }

  /** After an answer was stored; whether something else is looked at from now on. */
  async took(answer: SyncResponse, isQuiet: boolean): Promise<boolean> {
    const top = answer.lists?.['top']
    if (top === undefined) return false
    if (top.count !== undefined) this.#count = top.count
    for (const op of top.ops) if (op.op === 'range') this.#top = new Set(op.rooms)
    const { followed, typing } = { followed: this.#openIsFollowed, typing: this.#typing }
    if (!followed) await this.#lookAtOpen()
    const moved = isQuiet && (await this.#moveOn())
    return moved || followed !== this.#openIsFollowed || typing !== this.#typing
  }

  async #isToBeFollowed(): Promise<boolean> {
    if (this.#open === null) return false
    const entry = await this.#rooms.get(this.#ctx.db, this.#open)
    if (entry?.membership !== 'join' || entry.creating) return false
    return entry.behind || !this.#top.has(this.#open)
  }

  /** The next piece of the rest, where rooms are still unknown. */
  async #moveOn(): Promise<boolean> {
    if (this.#rest === null || this.#count === null) return false
    if (this.#rest === TOP) {
      const known = await this.#rooms.all(this.#ctx.db)
      const here = known.filter(({ membership, creating }) => membership !== 'leave' && !creating)
      if (here.length >= this.#count) {
        this.#rest = null
        return false
      }
    }
    if (this.#rest >= this.#count) this.#rest = null
    else this.#rest += PIECE
    return true
  }
}
