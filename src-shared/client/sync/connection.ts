/** Whether the homeserver can be reached, as the sync loop finds it; shown, and used to wake what waits. */
import type { Connection as ConnectionView } from '../../view-model/index.ts'
import type { SignedOutReason } from '../engine-types.ts'
import type { UnansweredCode } from '../http/api-client.ts'
import type { Clock } from '../ports.ts'
import type { Publisher } from '../views/publisher.ts'

const REASONS: Partial<
  Record<UnansweredCode, Extract<ConnectionView, { state: 'offline' }>['reason']>
> = {
  timeout: 'slow',
  server_error: 'server_error',
  peer_unreachable: 'server_error',
  not_a_homeserver: 'server_error',
  certificate: 'certificate',
}

export class Connection {
  readonly #clock: Clock
  readonly #publish: Publisher
  #view: ConnectionView = { state: 'connecting' }
  /** Called when the node answers again after a silence. */
  onBack: () => void = () => undefined

  /** Called when it falls silent. */
  onGone: () => void = () => undefined

  constructor(clock: Clock, publish: Publisher) {
    this.#clock = clock
    this.#publish = publish
  }

  get view(): ConnectionView {
    return this.#view
  }

  get online(): boolean {
    return this.#view.state === 'online'
  }

  answered(): void {
    if (this.#view.state === 'online' || this.#view.state === 'signed_out') return
    this.#set({ state: 'online' })
    this.onBack()
  }

  /** `pause`: milliseconds to the next try. */
  silent(code: UnansweredCode, pause: number): void {
    if (this.#view.state === 'signed_out') return
    if (this.#view.state === 'online') this.onGone()
    const now = this.#clock.now()
    const since = this.#view.state === 'offline' ? this.#view.since : now
    const reason = REASONS[code] ?? 'unreachable'
    this.#set({ state: 'offline', since, retryAt: now + pause, reason })
  }

  /** Signed in again: the next answer tells how things are. */
  signedIn(): void {
    if (this.#view.state === 'signed_out') this.#set({ state: 'connecting' })
  }

  signedOut(reason: SignedOutReason): void {
    this.#set({ state: 'signed_out', reason })
  }

  #set(view: ConnectionView): void {
    this.#view = view
    this.#publish.account()
  }
}
