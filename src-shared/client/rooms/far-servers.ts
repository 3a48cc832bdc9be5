/**
 * Which other servers do not answer the own one, as far as the room on screen is concerned (Federation §15.5):
 * what is sent there waits. Knows nothing of how that is shown.
 */
import { members, parseUserId } from '../../protocol/index.ts'
import type { RoomState } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import type { Publisher } from '../views/publisher.ts'
import { Worker } from '../worker.ts'

const LOOK_AGAIN_MS = 5_000

/** Whether anybody in the room, or invited to it, has another server than `own`. */
export function hasFarMembers(state: RoomState, own: string): boolean {
  return members(state).some(
    ({ userId, membership }) =>
      (membership === 'join' || membership === 'invite') && parseUserId(userId)?.server !== own,
  )
}

export class FarServers {
  readonly worker: Worker
  readonly #ctx: Context
  readonly #publish: Publisher
  readonly #isFar: (room: string) => Promise<boolean>
  #watched: string | null = null
  #silent: readonly string[] = []

  constructor(ctx: Context, publish: Publisher, isFar: (room: string) => Promise<boolean>) {
    this.#ctx = ctx
    this.#publish = publish
    this.#isFar = isFar
    this.worker = new Worker(ctx, () => this.#look())
  }

  watch(room: string | null): void {
    if (room === this.#watched) return
    this.#watched = room
    this.#silent = []
    this.worker.kick()
  }

  /** Servers of the room on screen for which messages wait; none of other rooms. */
  silentOf(room: string): readonly string[] {
    return room === this.#watched ? this.#silent : []
  }

  async #look(): Promise<number | null> {
    const room = this.#watched
    if (room === null) return null
    // Somebody far may come to be in it while it is looked at.
    if (!(await this.#isFar(room))) return LOOK_AGAIN_MS
    const { api, life } = this.#ctx
    const answer = await api.call('roomServers', { params: { roomId: room }, cancel: life })
    if (room !== this.#watched) return 0
    const silent = answer.ok
      ? answer.value.servers
          .filter(({ silent_since: since }) => since !== null)
          .map(({ server }) => server)
      : []
    if (silent.join() !== this.#silent.join()) {
      this.#silent = silent
      this.#publish.details(room)
    }
    return LOOK_AGAIN_MS
  }
}
