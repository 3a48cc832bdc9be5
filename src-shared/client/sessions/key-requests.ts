/**
 * Asking for content keys that did not arrive, and answering those who ask (Who can read §6).
 *
 * Answers go to devices in the recorded set of recipients of an own envelope, and to own active
 * devices; one message at a time. A key counts only if it is the one its envelope commits to.
 */
import * as z from 'zod'
import { checkContentKey, fromBase64Url, openEnvelope } from '../../protocol/index.ts'
import type { JsonObject } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import type { Receipts } from '../receipts/receipts.ts'
import { recordType } from '../store/record-type.ts'
import type { RecordOf } from '../store/record-type.ts'
import type { Step } from '../store/database.ts'
import { tables } from '../store/tables.ts'
import { findContentKey, keepContentKey, wasRecipient } from '../timeline/content-keys.ts'
import type { MessageReader } from '../timeline/message-reader.ts'
import { sealedKey, sealedRecord } from '../timeline/timeline-records.ts'
import type { Timeline } from '../timeline/timeline.ts'
import { Worker } from '../worker.ts'
import type { ToDevice, ToDeviceQueue } from './to-device-queue.ts'

const waitingRecord = recordType(
  tables.index,
  z.object({
    v: z.literal(1),
    waiting: z.array(
      z.object({
        room: z.string(),
        envelope: z.string(),
        member: z.string(),
        userId: z.string(),
        device: z.string(),
        /** Sealed for this device too: its sender is asked, and told once the key is there. */
        meant: z.boolean(),
        /** When it was last asked for; milliseconds. */
        asked: z.int(),
        tries: z.int(),
      }),
    ),
  }),
)
const WAITING = 'waiting-for-keys'
const MAX_WAITING = 1000
const MAX_TRIES = 8
const FIRST_PAUSE = 60_000

type Waiting = RecordOf<typeof waitingRecord>['waiting'][number]

/** What was asked in the future, before the clock was set back, is due. */
function dueAt({ asked, tries }: Waiting, now: number): number {
  return asked > now ? now : asked + FIRST_PAUSE * 2 ** tries
}

export interface AwaitedKey {
  readonly room: string
  readonly envelope: string
  /** Who sealed it. */
  readonly member: string
  readonly userId: string
  readonly device: string
  /** Sealed for this device too. */
  readonly meant: boolean
}

export class KeyRequests {
  readonly #ctx: Context
  readonly #contacts: Contacts
  readonly #queue: Pick<ToDeviceQueue, 'push'>
  readonly #timeline: Timeline
  readonly #reader: MessageReader
  readonly #receipts: Receipts
  /** To be started once all that waited at the node is here: keys may be among it. */
  readonly worker: Worker

  constructor(
    ctx: Context,
    parts: {
      readonly contacts: Contacts
      readonly toDevice: Pick<ToDeviceQueue, 'push'>
      readonly timeline: Timeline
      readonly reader: MessageReader
      readonly receipts: Receipts
    },
  ) {
    this.#ctx = ctx
    this.#contacts = parts.contacts
    this.#queue = parts.toDevice
    this.#timeline = parts.timeline
    this.#reader = parts.reader
    this.#receipts = parts.receipts
    this.worker = new Worker(ctx, () => this.#askAgain())
  }

  /** Asks the sealing device, where it meant this one, and every other own device. */
  async ask(step: Step, key: AwaitedKey): Promise<void> {
    const waiting = (await step.get(waitingRecord, WAITING))?.waiting ?? []
    const now = this.#ctx.clock.now()
    const others = waiting.filter(({ envelope }) => envelope !== key.envelope)
    const entry = { ...key, asked: now, tries: 0 }
    step.put(waitingRecord, WAITING, { v: 1, waiting: [...others, entry].slice(-MAX_WAITING) })
    step.after(() => {
      this.worker.kick()
    })
    await this.#send(step, key)
  }

  async #send(step: Step, key: AwaitedKey): Promise<void> {
    const { me } = this.#ctx
    const content = { kind: 'key_request', room: key.room, envelope: key.envelope } as const
    const own = await this.#contacts.trustedDevices(step, me.member)
    const messages: ToDevice[] = own
      .filter(({ device }) => device !== me.device && device !== key.device)
      .map(({ device }) => ({ userId: me.userId, member: me.member, device, content }))
    if (key.meant && key.device !== me.device)
      messages.push({ userId: key.userId, member: key.member, device: key.device, content })
    await this.#queue.push(step, messages)
  }

  /** Asks once more for what has been waiting for long; returns the milliseconds to the next such time. */
  async #askAgain(): Promise<number | null> {
    const { db, clock } = this.#ctx
    const waiting = (await db.get(waitingRecord, WAITING))?.waiting ?? []
    if (waiting.length === 0) return null
    const now = clock.now()
    const next = Math.min(...waiting.map((key) => dueAt(key, now)))
    if (next > now) return next - now
    await db.step('key.ask-again', async (step) => {
      const left: Waiting[] = []
      for (const key of (await step.get(waitingRecord, WAITING))?.waiting ?? []) {
        const due = dueAt(key, now) <= now
        if (due && key.tries >= MAX_TRIES) {
          // Given up; should it come after all, it is still taken.
          await this.#reader.giveUp(step, key.room, key.envelope)
          continue
        }
        if (due) await this.#send(step, key)
        left.push(due ? { ...key, asked: now, tries: key.tries + 1 } : key)
      }
      step.put(waitingRecord, WAITING, { v: 1, waiting: left })
    })
    return 1
  }

  /** A device asks. Silence where it has no claim: an answer would tell what this device has. */
  async answer(
    step: Step,
    from: { readonly member: string; readonly device: string; readonly userId: string },
    room: string,
    envelope: string,
  ): Promise<void> {
    const { me } = this.#ctx
    const kept = await findContentKey(step, this.#timeline, room, envelope)
    if (kept === null || kept.room !== room) return
    const trusted = await this.#contacts.trustedDevices(step, from.member)
    if (!trusted.some(({ device }) => device === from.device)) return
    const own = from.member === me.member
    if (!own && !(await wasRecipient(step, kept, `${from.member}/${from.device}`))) return
    const content = { kind: 'key_answer', room, envelope, K: kept.K } as const
    await this.#queue.push(step, [{ ...from, content }])
  }

  /** A key arrives; from whom matters less than that it is the key its envelope commits to. */
  async take(step: Step, room: string, envelope: string, K: string): Promise<void> {
    const { crypto, log } = this.#ctx
    const sealed = await step.get(sealedRecord, sealedKey(envelope))
    if (sealed === null || sealed.room !== room) return
    const contentKey = fromBase64Url(K)
    const header = sealed.header as JsonObject
    if (!checkContentKey(crypto, header, contentKey)) {
      log('key.refused', { code: 'wrong_commitment' })
      return
    }
    const body = fromBase64Url(sealed.body)
    const opened = openEnvelope({ crypto, header, body, contentKey })
    await this.#reader.becomeReadable(step, room, envelope, opened)
    const waiting = (await step.get(waitingRecord, WAITING))?.waiting ?? []
    const key = waiting.find((known) => known.envelope === envelope)
    if (opened.ok && key?.meant === true && key.member !== this.#ctx.me.member)
      await this.#receipts.queue(step, room, [envelope], 'delivered')
    if (opened.ok && opened.header.expires_at === undefined)
      await keepContentKey(step, this.#timeline, { room, envelope, contentKey })
    step.delete(sealedRecord, sealedKey(envelope))
    await this.forget(step, envelope)
  }

  async forget(step: Step, envelope: string): Promise<void> {
    const waiting = (await step.get(waitingRecord, WAITING))?.waiting
    if (waiting === undefined || !waiting.some((key) => key.envelope === envelope)) return
    const left = waiting.filter((key) => key.envelope !== envelope)
    step.put(waitingRecord, WAITING, { v: 1, waiting: left })
  }
}
