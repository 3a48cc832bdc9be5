/**
 * Sending what waits in the outbox: one entry per room at a time, sealed just before it leaves.
 *
 * No answer: the same bytes again under the same transaction id. A definite refusal: what changed is
 * fetched and the entry sealed anew, with a new key, place and transaction id, or it fails for good.
 */
import { creation, isJoined, membershipOf, toUtf8 } from '../../protocol/index.ts'
import type { RoomState } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import { EngineError } from '../errors.ts'
import type { Refusal } from '../http/api-client.ts'
import { refusalError } from '../http/errors.ts'
import type { RoomList } from '../rooms/room-list.ts'
import type { RoomEntry } from '../rooms/room-records.ts'
import type { RoomStates } from '../rooms/room-states.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Step } from '../store/database.ts'
import type { Timeline } from '../timeline/timeline.ts'
import { Worker } from '../worker.ts'
import type { Outbox } from './outbox.ts'
import type { OutboxEntry } from './outbox-records.ts'
import type { Sealer } from './seal.ts'

/** Definite refusals after which an entry fails. */
const MAX_REFUSALS = 8
/** Rounds of fetching before sealing goes on with what is there. */
const MAX_PREPARE_ROUNDS = 4
/** What sealing still lacks may be there this much later, in milliseconds. */
const NOT_READY_PAUSE = 2_000

interface Waiter {
  resolve(): void
  reject(error: EngineError): void
}

export interface TransmitterParts {
  readonly contacts: Contacts
  readonly rooms: RoomList
  readonly states: RoomStates
  readonly sessions: Sessions
  readonly timeline: Timeline
  readonly outbox: Outbox
  readonly sealer: Sealer
}

export class Transmitter {
  readonly #ctx: Context
  readonly #parts: TransmitterParts
  readonly #workers = new Map<string, Worker>()
  readonly #waiters = new Map<string, Waiter>()
  readonly #flying = new Set<string>()
  #started = false

  constructor(ctx: Context, parts: TransmitterParts) {
    this.#ctx = ctx
    this.#parts = parts
  }

  /** Fetches the members of a room that is known in part; false where that can't be had now. */
  makeWhole: (room: string) => Promise<boolean> = () => Promise.resolve(true)

  async start(): Promise<void> {
    this.#started = true
    for (const room of await this.#parts.outbox.rooms(this.#ctx.db)) this.kick(room)
  }

  kick(room: string): void {
    let worker = this.#workers.get(room)
    if (worker === undefined) {
      worker = new Worker(this.#ctx, () => this.#pass(room))
      this.#workers.set(room, worker)
    }
    if (this.#started) worker.start()
  }

  kickAll(): void {
    for (const room of this.#workers.keys()) this.kick(room)
  }

  /** Whether bytes of this entry are on their way right now. */
  isFlying(key: string): boolean {
    return this.#flying.has(key)
  }

  /** Resolves when the node has taken the entry; throws `EngineError` when it has refused. */
  outcome(key: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.set(key, { resolve, reject })
    })
  }

  /** Takes back what has not left yet; says whether it could. */
  async cancel(step: Step, key: string): Promise<boolean> {
    const entry = await this.#parts.outbox.entry(step, key)
    if (entry === null || entry.sent || (entry.sealed !== null && entry.failure === null))
      return false
    await this.#parts.outbox.remove(step, key)
    return true
  }

  async #pass(room: string): Promise<number | null> {
    const { db } = this.#ctx
    for (;;) {
      const lane = await this.#parts.outbox.lane(db, room)
      const entry = lane.find((candidate) => !candidate.sent && candidate.failure === null)
      if (entry === undefined) return null
      if (entry.sealed !== null) {
        const pause = await this.#transmit(entry)
        if (pause !== null) return pause
        continue
      }
      if (!(await this.makeWhole(room))) return NOT_READY_PAUSE
      const state = await this.#parts.states.get(db, room)
      const info = await this.#parts.rooms.get(db, room)
      // Made or joined here a moment ago; the next sync brings the state to seal on.
      if (info === null || lagsBehind(info, state, this.#ctx.me.member)) return null
      if (entry.job.kind === 'message') {
        const peer = peerStanding(info, state)
        if (peer === 'awaited') return null
        if (peer === 'gone') {
          await this.#failAlone(entry.key)
          continue
        }
        await this.#prepare(room)
      }
      const outcome = await db.step('outbox.seal', async (step) => this.#seal(step, entry.key))
      if (outcome === 'not_ready') return NOT_READY_PAUSE
    }
  }

  /** A direct room whose other person has left or declined. */
  async #failAlone(key: string): Promise<void> {
    await this.#ctx.db.step('outbox.failed', async (step) => {
      const entry = await this.#parts.outbox.entry(step, key)
      const error = new EngineError('not_allowed')
      if (entry !== null) await this.#fail(step, entry, 'recipient_unreachable', error)
    })
  }

  /** Fetches manifests and sessions until nothing more can be had. Throws `Unanswered`. */
  async #prepare(room: string): Promise<void> {
    const { db } = this.#ctx
    const { states, sealer, contacts, sessions } = this.#parts
    const asked = new Set<string>()
    for (let round = 0; round < MAX_PREPARE_ROUNDS; round++) {
      const state = await states.get(db, room)
      const { addressees, behind } = await sealer.recipients(db, state)
      const unasked = behind.filter(({ member }) => !asked.has(member))
      const missing = await sessions.claimable(db, addressees)
      if (unasked.length === 0 && missing.length === 0) return
      for (const { member, userId } of unasked) {
        asked.add(member)
        await contacts.refresh(userId, member)
      }
      if (missing.length > 0) await sessions.establish(missing)
    }
  }

  async #seal(step: Step, key: string): Promise<'done' | 'not_ready'> {
    const { outbox, sealer } = this.#parts
    const entry = await outbox.entry(step, key)
    if (entry === null || entry.sealed !== null || entry.failure !== null) return 'done'
    const outcome = await sealer.seal(step, entry)
    if (outcome.ok) {
      await outbox.patch(step, key, (now) => ({ ...now, sealed: outcome.sealed }))
      return 'done'
    }
    if (outcome.code === 'not_ready') return 'not_ready'
    await this.#fail(step, entry, outcome.code, new EngineError('not_allowed'))
    return 'done'
  }

  /** Null: go on with the lane. Throws `Unanswered`. */
  async #transmit(entry: OutboxEntry): Promise<number | null> {
    const { sealed, key, room } = entry
    if (sealed === null) return null
    const { api, life, publish } = this.#ctx
    const bytes = toUtf8(sealed.bytes)
    this.#flying.add(key)
    publish.item(room, key, sealed.envelope)
    try {
      const answer =
        entry.job.kind === 'create'
          ? await api.call('createRoom', { bytes, cancel: life })
          : await api.call('send', {
              params: { roomId: room, eventType: sealed.type, txnId: sealed.txn },
              bytes,
              cancel: life,
            })
      if (answer.ok) {
        await this.#accepted(entry)
        return null
      }
      return await this.#refused(entry, answer.refusal)
    } finally {
      this.#flying.delete(key)
      publish.item(room, key, sealed.envelope)
    }
  }

  async #accepted(entry: OutboxEntry): Promise<void> {
    const { db } = this.#ctx
    const { outbox, timeline, rooms } = this.#parts
    const { key, room, job, sealed } = entry
    await db.step('outbox.sent', async (step) => {
      if (job.kind === 'message' && job.shown) {
        // Stays in the outbox until it comes back in the node's order; it may have done so already.
        await outbox.patch(step, key, (now) => ({ ...now, sent: true }))
      } else {
        await outbox.remove(step, key)
        if (sealed !== null && (job.kind === 'message' || job.kind === 'redact'))
          await timeline.note(step, room, sealed.envelope, { s: 1, o: undefined })
      }
      if (job.kind === 'create')
        await rooms.update(step, room, (info) => ({ ...info, creating: false }))
      step.after(() => {
        this.#settle(key)?.resolve()
      })
    })
  }

  async #refused(entry: OutboxEntry, refusal: Refusal): Promise<number | null> {
    const { db, log } = this.#ctx
    const { states, outbox } = this.#parts
    const { key, room } = entry
    log('outbox.refused', { errcode: refusal.errcode, status: refusal.status })
    if (refusal.errcode === 'M_LIMIT_EXCEEDED') return Math.max(1_000, refusal.retryAfter)
    if (refusal.status === 401) return null
    // It came to the room another way.
    if (refusal.rule === 'envelope_repeated') {
      await this.#accepted(entry)
      return null
    }
    const again = isWorthResealing(refusal) && entry.job.kind !== 'create'
    if (again && entry.refusals < MAX_REFUSALS) {
      await this.#catchUp(room, refusal)
      await db.step('outbox.reseal', async (step) => {
        if (refusal.nextSeq !== undefined) await states.skipTo(step, room, refusal.nextSeq)
        await outbox.patch(step, key, (now) => ({
          ...now,
          sealed: null,
          refusals: now.refusals + 1,
        }))
      })
      return null
    }
    await db.step('outbox.failed', async (step) => {
      const current = await outbox.entry(step, key)
      if (current !== null)
        await this.#fail(step, current, failureOf(refusal), refusalError(refusal))
    })
    return null
  }

  /** The room has moved on: its state as the node sees it, verified, and manifests up to its rosters. */
  async #catchUp(room: string, refusal: Refusal): Promise<void> {
    const { api, db, life } = this.#ctx
    if (refusal.errcode !== 'E_ROSTER_MISMATCH' && refusal.errcode !== 'E_STATE_CONFLICT') return
    const answer = await api.call('state', { params: { roomId: room }, cancel: life })
    if (!answer.ok) return
    await db.step('room.state', async (step) => {
      await this.#parts.states.adopt(step, room, answer.value, 'all')
    })
  }

  async #fail(
    step: Step,
    entry: OutboxEntry,
    failure: NonNullable<OutboxEntry['failure']>,
    error: EngineError,
  ): Promise<void> {
    const { outbox, rooms } = this.#parts
    const { key, room, job } = entry
    if (job.kind === 'message' && job.shown)
      await outbox.patch(step, key, (now) => ({ ...now, failure, sealed: null }))
    else await outbox.remove(step, key)
    if (job.kind === 'create')
      await rooms.update(step, room, (info) => ({ ...info, hidden: true, creating: false }))
    step.after(() => {
      this.#settle(key)?.reject(error)
    })
  }

  #settle(key: string): Waiter | undefined {
    const waiter = this.#waiters.get(key)
    this.#waiters.delete(key)
    return waiter
  }
}

function lagsBehind(info: RoomEntry, state: RoomState, me: string): boolean {
  return creation(state) === null || (info.membership === 'join' && !isJoined(state, me))
}

/**
 * In a direct room nothing is sealed before the other person has joined: whoever joins later could not
 * read it.
 */
function peerStanding(info: RoomEntry, state: RoomState): 'here' | 'awaited' | 'gone' {
  if (info.kind !== 'direct' || info.peer === null) return 'here'
  switch (membershipOf(state, info.peer.member)) {
    case 'join':
      return 'here'
    case 'leave':
    case 'ban':
      return 'gone'
    default:
      return 'awaited'
  }
}

const RESEAL: ReadonlySet<string> = new Set([
  'E_ROSTER_MISMATCH',
  'E_STATE_CONFLICT',
  'E_TXN_REUSED',
])

function isWorthResealing({ errcode, rule, nextSeq }: Refusal): boolean {
  return RESEAL.has(errcode) || nextSeq !== undefined || rule === 'wrap_recipient'
}

function failureOf({ errcode }: Refusal): NonNullable<OutboxEntry['failure']> {
  switch (errcode) {
    case 'M_TOO_LARGE':
      return 'too_large'
    case 'M_NOT_FOUND':
      return 'not_a_member'
    case 'M_FORBIDDEN':
    case 'E_UNAUTHORIZED_EVENT':
      return 'no_permission'
    default:
      return 'refused'
  }
}
