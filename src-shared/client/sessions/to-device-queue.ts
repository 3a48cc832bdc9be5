/**
 * Messages to single devices, durable until the node has them (§6).
 *
 * What is to be said is committed first; then it is sealed and the advanced ratchet and the sealed
 * bytes are committed together; then the very same bytes are sent until the node answers.
 */
import * as z from 'zod'
import {
  deviceIdSchema,
  fingerprintSchema,
  toDeviceEnvelopeSchema,
  userIdSchema,
} from '../../protocol/index.ts'
import type { KnownToDeviceContent } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import { waitAfter } from '../http/api-client.ts'
import { Worker } from '../worker.ts'
import { recordType } from '../store/record-type.ts'
import type { Step } from '../store/database.ts'
import { tables } from '../store/tables.ts'
import { NO_BUNDLE_PAUSE } from './sessions.ts'
import type { Addressee, Sessions } from './sessions.ts'

const target = {
  user_id: userIdSchema,
  member: fingerprintSchema,
  device: deviceIdSchema,
}
const queueRecord = recordType(
  tables.outbox,
  z.object({
    v: z.literal(1),
    wanted: z.array(
      z.object({
        ...target,
        content: z.custom<KnownToDeviceContent>((value) => typeof value === 'object'),
        /** Needs a new session, whatever there is. */
        anew: z.boolean(),
        /** Not to be tried before; milliseconds. */
        after: z.int(),
        tries: z.int(),
      }),
    ),
    sealed: z
      .object({
        txn: z.string(),
        messages: z.array(z.object({ ...target, message: toDeviceEnvelopeSchema })),
      })
      .nullable(),
  }),
)
const KEY = 'to-device'
const EMPTY = { v: 1 as const, wanted: [], sealed: null }
const BATCH = 50
const MAX_WANTED = 1000
/** A device that cannot be reached is tried again after pauses that double, and given up after about two hours. */
const MAX_TRIES = 20
const LONGEST_PAUSE = 600_000

export interface ToDevice {
  readonly userId: string
  readonly member: string
  readonly device: string
  readonly content: KnownToDeviceContent
  readonly anew?: boolean
}

export class ToDeviceQueue {
  readonly #ctx: Context
  readonly #contacts: Contacts
  readonly #sessions: Sessions
  readonly worker: Worker

  constructor(ctx: Context, contacts: Contacts, sessions: Sessions) {
    this.#ctx = ctx
    this.#contacts = contacts
    this.#sessions = sessions
    this.worker = new Worker(ctx, () => this.#run())
  }

  async push(step: Step, messages: readonly ToDevice[]): Promise<void> {
    if (messages.length === 0) return
    const queue = (await step.get(queueRecord, KEY)) ?? EMPTY
    const said = new Set(queue.wanted.map(signature))
    const fresh = messages
      .map(({ userId, member, device, content, anew = false }) => ({
        user_id: userId,
        member,
        device,
        content,
        anew,
        after: 0,
        tries: 0,
      }))
      .filter((message) => !said.has(signature(message)))
    const wanted = [...queue.wanted, ...fresh].slice(-MAX_WANTED)
    step.put(queueRecord, KEY, { ...queue, wanted })
    step.after(() => {
      this.worker.kick()
    })
  }

  /** Signs of life of these members: what waits for them is tried now, and that try is not counted. */
  async heard(members: ReadonlySet<string>): Promise<void> {
    const { db, clock } = this.#ctx
    const queue = await db.get(queueRecord, KEY)
    const waits = ({ member, after }: { member: string; after: number }): boolean =>
      members.has(member) && after > clock.now()
    if (queue?.wanted.some(waits) !== true) return
    this.#sessions.heard(members)
    await db.step('to-device.heard', async (step) => {
      const now = (await step.get(queueRecord, KEY)) ?? EMPTY
      const wanted = now.wanted.map((one) =>
        waits(one) ? { ...one, after: clock.now(), tries: one.tries - 1 } : one,
      )
      step.put(queueRecord, KEY, { ...now, wanted })
      step.after(() => {
        this.worker.kick()
      })
    })
  }

  /** One pass; returns when to come back, in milliseconds, or null. Throws `Unanswered`. */
  async #run(): Promise<number | null> {
    const { db, api, life, clock } = this.#ctx
    for (;;) {
      const queue = (await db.get(queueRecord, KEY)) ?? EMPTY
      if (queue.sealed !== null) {
        const { txn, messages } = queue.sealed
        const answer = await api.call('toDevice', {
          params: { txnId: txn },
          body: { messages },
          cancel: life,
        })
        const pause = waitAfter(answer)
        if (pause !== null) return pause
        // Refused for good means that these bytes will never be taken: whoever needs them asks again.
        await db.step('to-device.sent', async (step) => {
          const now = (await step.get(queueRecord, KEY)) ?? EMPTY
          if (now.sealed?.txn === txn) step.put(queueRecord, KEY, { ...now, sealed: null })
        })
        continue
      }
      if (queue.wanted.length === 0) return null
      const now = clock.now()
      const due = queue.wanted.filter(({ after }) => isDue(after, now)).slice(0, BATCH)
      if (due.length === 0) {
        const next = Math.min(...queue.wanted.map(({ after }) => after))
        return Math.max(1, next - now)
      }
      await this.#reach(due)
      await this.#seal(due)
    }
  }

  async #reach(due: readonly { member: string; device: string; user_id: string; anew: boolean }[]) {
    const { db } = this.#ctx
    const plain = new Map<string, Addressee>()
    const anew = new Map<string, Addressee>()
    for (const { member, device, user_id: userId, anew: fresh } of due) {
      const peer = await this.#contacts.device(db, member, device)
      if (peer !== null) (fresh ? anew : plain).set(device, { userId, peer })
    }
    await this.#sessions.establish([...anew.values()], true)
    const missing = await this.#sessions.missing(db, [...plain.values()])
    await this.#sessions.establish(missing.filter(({ peer }) => !anew.has(peer.device)))
  }

  async #seal(due: readonly { member: string; device: string; content: unknown }[]): Promise<void> {
    const { db, newId, clock } = this.#ctx
    await db.step('to-device.seal', async (step) => {
      const queue = (await step.get(queueRecord, KEY)) ?? EMPTY
      const local = await this.#contacts.local(step)
      const now = new Set(due.map(signature))
      const messages: NonNullable<typeof queue.sealed>['messages'] = []
      const left: typeof queue.wanted = []
      for (const wanted of queue.wanted) {
        if (!now.has(signature(wanted))) {
          left.push(wanted)
          continue
        }
        const { member, device, user_id } = wanted
        const trusted = await this.#contacts.trustedDevices(step, member)
        const peer = trusted.find((listed) => listed.device === device)
        // A device that is not, or no longer, trusted is told nothing.
        if (peer === undefined) continue
        const message = await this.#sessions.sealToDevice(step, local, peer, wanted.content)
        if (message !== null) messages.push({ user_id, member, device, message })
        else if (wanted.tries < MAX_TRIES)
          left.push({ ...wanted, tries: wanted.tries + 1, after: clock.now() + pauseOf(wanted) })
      }
      const sealed = messages.length === 0 ? null : { txn: newId(), messages }
      step.put(queueRecord, KEY, { v: 1, wanted: left, sealed })
    })
  }
}

/** A time further off than any pause was set before the clock was set back. */
function isDue(after: number, now: number): boolean {
  return after <= now || after - now > LONGEST_PAUSE
}

/** From the first try that may succeed, see `NO_BUNDLE_PAUSE`. */
function pauseOf({ tries }: { readonly tries: number }): number {
  return Math.min(LONGEST_PAUSE, NO_BUNDLE_PAUSE * 2 ** tries)
}

function signature(wanted: {
  readonly member: string
  readonly device: string
  readonly content: unknown
}): string {
  return JSON.stringify([wanted.member, wanted.device, wanted.content])
}
