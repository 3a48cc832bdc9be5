/**
 * Signed receipts (Receipts): "delivered" is said only after the message is durably committed, so it is
 * queued in the same commit and sent later; receipts of others count when their device's signature holds.
 */
import * as z from 'zod'
import { fromBase64Url, makeReceipt, receiptSchema, verifyReceipt } from '../../protocol/index.ts'
import type { Receipt } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import { recordType } from '../store/record-type.ts'
import type { Step } from '../store/database.ts'
import { tables } from '../store/tables.ts'
import type { Timeline } from '../timeline/timeline.ts'
import { waitAfter } from '../http/api-client.ts'
import { Worker } from '../worker.ts'

const queueRecord = recordType(
  tables.outbox,
  z.object({ v: z.literal(1), receipts: z.array(receiptSchema) }),
)
const KEY = 'receipts'
const BATCH = 200
const MAX_QUEUED = 20_000

export class Receipts {
  readonly #ctx: Context
  readonly #contacts: Contacts
  readonly #timeline: Timeline
  readonly worker: Worker

  constructor(ctx: Context, contacts: Contacts, timeline: Timeline) {
    this.#ctx = ctx
    this.#contacts = contacts
    this.#timeline = timeline
    this.worker = new Worker(ctx, () => this.#send())
  }

  /** In the step that commits what the receipt speaks of. */
  async queue(
    step: Step,
    room: string,
    envelopes: readonly string[],
    kind: Receipt['kind'],
  ): Promise<void> {
    if (envelopes.length === 0) return
    const { crypto, clock } = this.#ctx
    const local = await this.#contacts.local(step)
    const ts = clock.now()
    const fresh = envelopes.map((envelope) =>
      makeReceipt(crypto, local, { room, envelope, kind, ts }),
    )
    const queued = (await step.get(queueRecord, KEY))?.receipts ?? []
    step.put(queueRecord, KEY, { v: 1, receipts: [...queued, ...fresh].slice(-MAX_QUEUED) })
    step.after(() => {
      this.worker.kick()
    })
  }

  /** A receipt by somebody else's device, or one that is refused. Own ones say nothing. */
  async take(step: Step, room: string, receipt: Receipt): Promise<void> {
    const { crypto, me, log } = this.#ctx
    if (receipt.room !== room || receipt.member === me.member) return
    const manifest = await this.#contacts.manifest(step, receipt.member)
    const device = manifest?.devices.get(receipt.device)
    const valid =
      device?.status === 'active' && verifyReceipt(crypto, receipt, fromBase64Url(device.ed25519))
    if (!valid) {
      log('receipt.refused')
      return
    }
    const { kind, envelope: target, member, ts } = receipt
    const about = await this.#timeline.find(step, room, target)
    // Who else has somebody else's message is nobody's business here.
    if (about !== null && about.member !== me.member) return
    await this.#timeline.relate(step, room, {
      kind,
      target,
      member,
      envelope: '',
      ts,
      text: '',
      on: true,
      moderator: false,
    })
  }

  async #send(): Promise<number | null> {
    const { db, api, life } = this.#ctx
    for (;;) {
      const queued = (await db.get(queueRecord, KEY))?.receipts ?? []
      const [first] = queued
      if (first === undefined) return null
      const batch = queued.filter(({ room }) => room === first.room).slice(0, BATCH)
      const params = { roomId: first.room }
      const answer = await api.call('receipts', {
        params,
        body: { receipts: batch },
        cancel: life,
      })
      const pause = waitAfter(answer)
      if (pause !== null) return pause
      // Refused for good (left the room, say): nobody is waiting for them any more.
      const sent = new Set(batch.map(({ sig }) => sig))
      await db.step('receipts.sent', async (step) => {
        const now = (await step.get(queueRecord, KEY))?.receipts ?? []
        const left = now.filter(({ sig }) => !sent.has(sig))
        if (left.length > 0) step.put(queueRecord, KEY, { v: 1, receipts: left })
        else step.delete(queueRecord, KEY)
      })
    }
  }
}
