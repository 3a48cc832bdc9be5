/** What happens when a message does not open: the peer is told that its session is lost, at most so often. */
import type { OpenToDeviceErrorCode, UnwrapErrorCode } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import type { Step } from '../store/database.ts'
import type { Addressee, Sessions } from './sessions.ts'
import type { ToDeviceQueue } from './to-device-queue.ts'

/** Between two resets towards one device: whoever sends rubbish must not keep both sides busy. */
const RESET_PAUSE = 10 * 60_000

/** Codes that say that this side lacks the session, rather than that the message is bad. */
const LOST: ReadonlySet<string> = new Set<UnwrapErrorCode | OpenToDeviceErrorCode>([
  'unknown_session',
  'unknown_prekey',
  'undecipherable',
  'too_far_ahead',
])

export class SessionRepair {
  readonly #ctx: Context
  readonly #sessions: Sessions
  readonly #queue: ToDeviceQueue

  constructor(ctx: Context, sessions: Sessions, queue: ToDeviceQueue) {
    this.#ctx = ctx
    this.#sessions = sessions
    this.#queue = queue
  }

  async lost(
    step: Step,
    { peer, userId }: Addressee,
    session: string,
    code: UnwrapErrorCode | OpenToDeviceErrorCode,
  ): Promise<void> {
    if (!LOST.has(code)) return
    if (!(await this.#sessions.claimReset(step, peer, RESET_PAUSE))) return
    this.#ctx.log('session.lost', { code })
    const content = { kind: 'session_reset' as const, lost: [session] }
    const { member, device } = peer
    await this.#queue.push(step, [{ userId, member, device, content, anew: true }])
  }
}
