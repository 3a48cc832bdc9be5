/**
 * Letting a device in (Pairing): the side of a trusted device. It answers by itself, so that both show a
 * code; only the user's word that the codes are equal puts the device on the manifest.
 */
import {
  addDevice,
  answerPairing,
  canonicalBytes,
  completePairing,
  draftAddDevice,
  pairingStartSchema,
  verifyEntrySignature,
} from '../../protocol/index.ts'
import type { AccountDevice, PairingRelay } from '../../api/index.ts'
import type { Alert, Pairing } from '../../view-model/index.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import type { OwnDevices } from '../devices/own-devices.ts'
import { EngineError } from '../errors.ts'
import { expectAnswer } from '../http/errors.ts'
import type { Reader, Step } from '../store/database.ts'
import {
  APPROVALS,
  approvalsRecord,
  grouped,
  readRelayed,
  revealMessageSchema,
} from './pairing-records.ts'
import type { Approval, RevealMessage } from './pairing-records.ts'

export class ApproverPairing {
  readonly #ctx: Context
  readonly #contacts: Contacts
  readonly #own: OwnDevices

  constructor(ctx: Context, contacts: Contacts, own: OwnDevices) {
    this.#ctx = ctx
    this.#contacts = contacts
    this.#own = own
  }

  async view(reader: Reader): Promise<Pairing[]> {
    return (await this.#all(reader)).map(({ device, deviceName, step, code, requestedAt }) => ({
      device,
      deviceName,
      side: 'approver',
      step,
      code,
      requestedAt,
    }))
  }

  async alerts(reader: Reader): Promise<Alert[]> {
    return (await this.#all(reader))
      .filter(({ step }) => step === 'waiting' || step === 'compare')
      .map(({ device, deviceName, requestedAt }) => ({
        id: `device:${device}`,
        tier: 1,
        room: null,
        time: requestedAt,
        alert: { what: 'device_waiting', device, deviceName },
      }))
  }

  /** The node's list of devices that wait: who is new, who is gone. In the caller's step. */
  async note(step: Step, pending: readonly AccountDevice[]): Promise<void> {
    const before = await this.#all(step)
    const known = new Set(before.map(({ device }) => device))
    const waiting = new Set(pending.map(({ device }) => device.id))
    const fresh = pending
      .filter(({ device }) => !known.has(device.id))
      .map(({ device, name, requested_at }): Approval => ({
        device: device.id,
        deviceName: name ?? '',
        step: 'waiting',
        code: null,
        requestedAt: requested_at ?? this.#ctx.clock.now(),
        state: null,
        possession: null,
      }))
    const left = before.filter(({ device }) => waiting.has(device))
    if (fresh.length > 0 || left.length < before.length) this.#put(step, [...left, ...fresh])
  }

  /** Answers starts and takes reveals. Throws `Unanswered`. */
  async tend(relays: readonly PairingRelay[]): Promise<void> {
    for (const relay of relays) {
      const approval = (await this.#all(this.#ctx.db)).find(({ device }) => device === relay.device)
      if (approval !== undefined) await this.#tendOne(approval, relay)
    }
  }

  async #tendOne(approval: Approval, { device, messages }: PairingRelay): Promise<void> {
    const { db, random, me } = this.#ctx
    const start = readRelayed(pairingStartSchema, messages.start)
    if (start === null || start.device.id !== device) return
    const known = approval.state?.start.commitment === start.commitment ? approval.state : null
    if (known === null) {
      // Another of the user's devices is at it already.
      if (messages.answer !== undefined) return
      const answer = await db.step('pairing.answer', async (step) => {
        const manifest = await this.#contacts.manifest(step, me.member)
        if (manifest === null) return null
        const answered = answerPairing({
          random,
          start,
          account: me.member,
          head: manifest.head,
          approver: me.device,
        })
        const state = answered.state
        await this.#patch(step, device, { state, step: 'waiting', code: null, possession: null })
        return answered.answer
      })
      if (answer !== null) await this.#say(device, 'answer', JSON.stringify(answer))
      return
    }
    if (messages.answer === undefined) {
      await this.#say(device, 'answer', JSON.stringify(known.answer))
      return
    }
    const revealed = readRelayed(revealMessageSchema, messages.reveal)
    if (revealed !== null && approval.step === 'waiting')
      await db.step('pairing.compare', (step) => this.#compare(step, device, revealed))
  }

  async #compare(step: Step, device: string, { reveal, possession }: RevealMessage): Promise<void> {
    const { crypto } = this.#ctx
    const approval = (await this.#all(step)).find((known) => known.device === device)
    const answered = approval?.state ?? null
    if (answered === null) return
    const completed = completePairing({ crypto, state: answered, reveal })
    if (!completed.ok) {
      await this.#patch(step, device, { step: 'failed', code: null })
      return
    }
    const code = grouped(completed.code)
    await this.#patch(step, device, { step: 'compare', code, state: completed.state, possession })
  }

  /** The user's word. Throws `EngineError`. */
  async answer(device: string, same: boolean): Promise<void> {
    const { db } = this.#ctx
    const approval = (await this.#all(db)).find((known) => known.device === device)
    if (approval === undefined) throw new EngineError('bad_input')
    if (same) await this.#approve(approval)
    else await this.#refuse(approval)
  }

  async #approve(approval: Approval): Promise<void> {
    const { db, crypto, me } = this.#ctx
    const { device, state, possession } = approval
    if (approval.step !== 'compare' || state === null || possession === null)
      throw new EngineError('bad_input')
    await this.#step(device, 'approving')
    try {
      await this.#own.append((manifest) => {
        const keys = state.start.device
        const draft = draftAddDevice(manifest, me.device, keys)
        // The new device has signed the entry on the head that both compared; another head, another try.
        const bytes = canonicalBytes(draft)
        if (!verifyEntrySignature(crypto, 'device', keys.ed25519, bytes, possession))
          throw new EngineError('cancelled')
        const author = { id: me.device, ed25519: me.secrets.ed25519 }
        return addDevice(crypto, draft, author, possession)
      })
    } catch (error) {
      await this.#step(device, 'failed')
      throw error
    }
    await db.step('pairing.approved', async (step) => {
      const others = (await this.#all(step)).filter((known) => known.device !== device)
      this.#put(step, others)
    })
  }

  async #refuse({ device }: Approval): Promise<void> {
    const { db, api, life } = this.#ctx
    await this.#say(device, 'verdict', JSON.stringify({ v: 1, verdict: 'refused' }))
    const dismissed = api.call('dismissDevice', { params: { device }, cancel: life })
    await expectAnswer(dismissed, { M_NOT_FOUND: 'bad_input' })
    await db.step('pairing.refused', async (step) => {
      const others = (await this.#all(step)).filter((known) => known.device !== device)
      this.#put(step, others)
    })
  }

  async #step(device: string, to: Pairing['step']): Promise<void> {
    await this.#ctx.db.step('pairing.step', (step) => this.#patch(step, device, { step: to }))
  }

  async #patch(step: Step, device: string, change: Partial<Approval>): Promise<void> {
    const all = await this.#all(step)
    this.#put(
      step,
      all.map((known) => (known.device === device ? { ...known, ...change } : known)),
    )
  }

  async #all(reader: Reader): Promise<readonly Approval[]> {
    return (await reader.get(approvalsRecord, APPROVALS))?.approvals ?? []
  }

  #put(step: Step, approvals: readonly Approval[]): void {
    step.put(approvalsRecord, APPROVALS, { v: 1, approvals: [...approvals] })
    step.after(() => {
      this.#ctx.publish.pairings()
      this.#ctx.publish.alerts()
    })
  }

  async #say(device: string, step: 'answer' | 'verdict', message: string): Promise<void> {
    const { api, life } = this.#ctx
    await api.call('pairing', { params: { device, step }, body: { message }, cancel: life })
  }
}
