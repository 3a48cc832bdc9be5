/** Being let in (Pairing): the side of the device that has signed in with the password and waits. */
import {
  deviceKeysOf,
  draftAddDevice,
  pairingAnswerSchema,
  revealPairing,
  signEntry,
  startPairing,
} from '../../protocol/index.ts'
import type { PairingRelay } from '../../api/index.ts'
import type { Pairing } from '../../view-model/index.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import type { Reader, Step } from '../store/database.ts'
import {
  grouped,
  PENDING,
  pendingRecord,
  readRelayed,
  verdictMessageSchema,
} from './pairing-records.ts'

export class NewDevicePairing {
  readonly #ctx: Context
  readonly #contacts: Contacts

  constructor(ctx: Context, contacts: Contacts) {
    this.#ctx = ctx
    this.#contacts = contacts
  }

  async view(reader: Reader, deviceName: string): Promise<Pairing[]> {
    const record = await reader.get(pendingRecord, PENDING)
    if (record === null) return []
    const { step, code, requestedAt } = record
    const device = this.#ctx.me.device
    return [{ device, deviceName, side: 'new_device', step, code, requestedAt }]
  }

  /** Goes on with what the node has relayed. Throws `Unanswered`. */
  async tend(relayed: PairingRelay | undefined): Promise<void> {
    const { db } = this.#ctx
    const record = await db.get(pendingRecord, PENDING)
    if (record === null) return this.restart()
    if (record.step === 'failed' || record.step === 'refused') return
    const messages = relayed?.messages ?? {}
    if (messages.start !== JSON.stringify(record.state.start)) {
      await this.#say('start', JSON.stringify(record.state.start))
      return
    }
    if (readRelayed(verdictMessageSchema, messages.verdict) !== null) {
      await this.#set('refused', null)
      return
    }
    const manifest = await this.#contacts.manifest(db, this.#ctx.me.member)
    const compared = record.state.answer?.head
    // The log has moved on since; what this device has signed would no longer fit.
    if (compared !== undefined && compared !== manifest?.head) return this.restart()
    const answer = readRelayed(pairingAnswerSchema, messages.answer)
    if (answer !== null) await this.#reveal(answer)
  }

  /** A new attempt with a new nonce; the user's to start. */
  async restart(): Promise<void> {
    const { db, crypto, random, clock, me, publish } = this.#ctx
    const device = deviceKeysOf(crypto, me.secrets)
    const { state, start } = startPairing({ crypto, random, device })
    await db.step('pairing.start', (step) => {
      const requestedAt = clock.now()
      step.put(pendingRecord, PENDING, { v: 1, step: 'waiting', code: null, requestedAt, state })
      step.after(() => {
        publish.pairings()
      })
    })
    await this.#say('start', JSON.stringify(start))
  }

  async #reveal(answer: Parameters<typeof revealPairing>[0]['answer']): Promise<void> {
    const { db, crypto, me, publish } = this.#ctx
    await this.#contacts.refresh(me.userId, me.member)
    const text = await db.step('pairing.reveal', async (step) => {
      const record = await step.get(pendingRecord, PENDING)
      const manifest = await this.#contacts.manifest(step, me.member)
      if (record === null || manifest === null) return null
      step.after(() => {
        publish.pairings()
      })
      const sound =
        answer.account === me.member &&
        answer.head === manifest.head &&
        manifest.devices.get(answer.approver)?.status === 'active'
      const revealed = sound ? revealPairing({ crypto, state: record.state, answer }) : null
      if (revealed?.ok !== true) {
        step.put(pendingRecord, PENDING, { ...record, step: 'failed', code: null })
        return null
      }
      const { state, code, reveal } = revealed
      step.put(pendingRecord, PENDING, { ...record, step: 'compare', code: grouped(code), state })
      const draft = draftAddDevice(manifest, answer.approver, deviceKeysOf(crypto, me.secrets))
      const possession = signEntry(crypto, 'device', me.secrets.ed25519, draft)
      return JSON.stringify({ reveal, possession })
    })
    if (text !== null) await this.#say('reveal', text)
  }

  /** The node has let go of this device while it waited, with or without the other device's last word. */
  async turnedAway(step: Step): Promise<void> {
    const record = await step.get(pendingRecord, PENDING)
    if (record !== null && record.step !== 'failed')
      step.put(pendingRecord, PENDING, { ...record, step: 'refused', code: null })
    step.after(() => {
      this.#ctx.publish.pairings()
    })
  }

  async #set(to: Pairing['step'], code: string | null): Promise<void> {
    const { db, publish } = this.#ctx
    await db.step('pairing.step', async (step) => {
      const record = await step.get(pendingRecord, PENDING)
      if (record !== null) step.put(pendingRecord, PENDING, { ...record, step: to, code })
      step.after(() => {
        publish.pairings()
      })
    })
  }

  async #say(step: 'start' | 'reveal', message: string): Promise<void> {
    const { api, me, life } = this.#ctx
    await api.call('pairing', {
      params: { device: me.device, step },
      body: { message },
      cancel: life,
    })
  }
}
