/**
 * Somebody new, as an engine in the test's own process: who writes to a guest for the first time passes
 * the boundaries of a first contact (claiming prekeys, beginning a session) once more. Guests are never
 * killed; each keeps a ledger of its own conversation.
 */
import {
  newUser,
  timeline,
  until,
  type NodeAddress,
  type TestUser,
} from '../../src-homeserver/testing/engine-users.ts'
import { Ledger, shownOf, type Shown } from './ledger.ts'

export class Guest {
  readonly ledger = new Ledger()
  readonly #user: TestUser
  #room = ''

  private constructor(user: TestUser) {
    this.#user = user
  }

  static async arrive(node: NodeAddress, name: string): Promise<Guest> {
    return new Guest(await newUser(node, name))
  }

  get name(): string {
    return this.#user.name
  }

  /** The conversation with whoever invited; empty before `accept`. */
  get room(): string {
    return this.#room
  }

  /** Waits for an invitation and accepts it. */
  async accept(): Promise<void> {
    const { engine } = this.#user
    await until(() => engine.roomList().length > 0)
    this.#room = engine.roomList()[0]?.id ?? ''
    await engine.accept(this.#room)
    await until(() => engine.roomList()[0]?.membership === 'join')
  }

  async shown(): Promise<Shown> {
    return shownOf(await timeline(this.#user, this.#room))
  }

  async leave(): Promise<void> {
    await this.#user.engine.stop()
  }
}
