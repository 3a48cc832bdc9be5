/**
 * Pairwise sessions with peer devices (Double Ratchet §4): making them when there is none, sealing and
 * opening through them. Every change is written in the caller's step, beside what it was made for.
 */
import {
  canEncrypt,
  dropSession,
  initiateSession,
  openToDevice,
  sealToDevice,
  unwrapKey,
  wrapKey,
} from '../../protocol/index.ts'
import type {
  KnownToDeviceContent,
  LocalDevice,
  OpenToDeviceResult,
  PeerDevice,
  PrekeyBundle,
  ToDeviceEnvelope,
  UnwrapKeyResult,
  Wrap,
} from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import { EngineError } from '../errors.ts'
import { Unanswered, waitAfter } from '../http/api-client.ts'
import type { Reader, Step } from '../store/database.ts'
import {
  memberOf,
  noSessions,
  OWN_PREKEYS,
  prekeyRecord,
  sessionKey,
  sessionRecord,
} from './session-records.ts'

/** A peer device and the user id by which its node is asked. */
export interface Addressee {
  readonly userId: string
  readonly peer: PeerDevice
}

/** A device without prekeys at its node is not asked for again for this long, in milliseconds. */
export const NO_BUNDLE_PAUSE = 15_000
const CLAIM_BATCH = 64

export class Sessions {
  readonly #ctx: Context
  readonly #contacts: Contacts
  readonly #noBundle = new Map<string, number>()

  constructor(ctx: Context, contacts: Contacts) {
    this.#ctx = ctx
    this.#contacts = contacts
  }

  /** Those among `to` that nothing can be sent to yet. */
  async missing(reader: Reader, to: readonly Addressee[]): Promise<readonly Addressee[]> {
    const records = await reader.getMany(
      sessionRecord,
      to.map(({ peer }) => sessionKey(peer)),
    )
    return to.filter((_, at) => !canEncrypt((records[at] ?? noSessions).set))
  }

  /** Those of `missing` that a claim may still help with. */
  async claimable(reader: Reader, to: readonly Addressee[]): Promise<readonly Addressee[]> {
    const now = this.#ctx.clock.now()
    const missing = await this.missing(reader, to)
    return missing.filter(({ peer }) => (this.#noBundle.get(sessionKey(peer)) ?? 0) <= now)
  }

  /** Signs of life of these members: a claim may help now. */
  heard(members: ReadonlySet<string>): void {
    for (const key of this.#noBundle.keys())
      if (members.has(memberOf(key))) this.#noBundle.delete(key)
  }

  /**
   * Claims prekeys and starts sessions. Devices that have none are left out and asked again later.
   * `anew` makes a session even where one exists. Throws `Unanswered`; a final refusal
   * counts as no bundles.
   */
  async establish(to: readonly Addressee[], anew = false): Promise<void> {
    const now = this.#ctx.clock.now()
    const due = to.filter(({ peer }) => (this.#noBundle.get(sessionKey(peer)) ?? 0) <= now)
    for (let at = 0; at < due.length; at += CLAIM_BATCH)
      await this.#claim(due.slice(at, at + CLAIM_BATCH), anew)
  }

  async #claim(to: readonly Addressee[], anew: boolean): Promise<void> {
    const { api, life, clock, db } = this.#ctx
    const devices = to.map(({ userId, peer }) => ({
      user_id: userId,
      member: peer.member,
      device: peer.device,
    }))
    const answer = await api.call('claimKeys', { body: { devices }, cancel: life })
    // Too many claims at once says nothing about the devices: their messages wait.
    if (waitAfter(answer) !== null) throw new Unanswered('server_error')
    const bundles = new Map(
      (answer.ok ? answer.value.bundles : []).map(({ member, device, bundle }) => [
        sessionKey({ member, device }),
        bundle,
      ]),
    )
    await db.step('session', async (step) => {
      for (const { peer } of to) {
        const bundle = bundles.get(sessionKey(peer))
        const started = bundle !== undefined && (await this.#initiate(step, peer, bundle, anew))
        if (!started) this.#noBundle.set(sessionKey(peer), clock.now() + NO_BUNDLE_PAUSE)
      }
    })
  }

  async #initiate(
    step: Step,
    peer: PeerDevice,
    bundle: PrekeyBundle,
    anew: boolean,
  ): Promise<boolean> {
    const { crypto, random, log } = this.#ctx
    const record = (await step.get(sessionRecord, sessionKey(peer))) ?? noSessions
    // The peer may have started one while the bundle was on its way.
    if (!anew && canEncrypt(record.set)) return true
    const local = await this.#contacts.local(step)
    const initiated = initiateSession({ crypto, random, set: record.set, local, peer, bundle })
    if (!initiated.ok) {
      log('session.refused', { code: initiated.code })
      return false
    }
    step.put(sessionRecord, sessionKey(peer), { ...record, set: initiated.set })
    return true
  }

  /** Wraps a content key for each device that has a session; `without` are those that have none. */
  async wrap(
    step: Step,
    peers: readonly PeerDevice[],
    envelope: string,
    contentKey: Uint8Array,
  ): Promise<{ readonly wraps: readonly Wrap[]; readonly without: readonly PeerDevice[] }> {
    const { crypto, random } = this.#ctx
    const wraps: Wrap[] = []
    const without: PeerDevice[] = []
    for (const peer of peers) {
      const record = (await step.get(sessionRecord, sessionKey(peer))) ?? noSessions
      const wrapped = wrapKey({ crypto, random, set: record.set, peer, envelope, contentKey })
      if (!wrapped.ok) {
        without.push(peer)
        continue
      }
      step.put(sessionRecord, sessionKey(peer), { ...record, set: wrapped.set })
      wraps.push(wrapped.wrap)
    }
    return { wraps, without }
  }

  async unwrap(
    step: Step,
    local: LocalDevice,
    peer: PeerDevice,
    envelope: string,
    wrap: Wrap,
  ): Promise<UnwrapKeyResult> {
    const { crypto } = this.#ctx
    const { record, prekeys } = await this.#receiving(step, peer)
    const opened = unwrapKey({ crypto, set: record.set, prekeys, local, peer, envelope, wrap })
    if (opened.ok) {
      step.put(sessionRecord, sessionKey(peer), { ...record, set: opened.set })
      if (opened.prekeys !== prekeys) step.put(prekeyRecord, OWN_PREKEYS, opened.prekeys)
    }
    return opened
  }

  /** Null where there is no session to send through. */
  async sealToDevice(
    step: Step,
    local: LocalDevice,
    peer: PeerDevice,
    content: KnownToDeviceContent,
  ): Promise<ToDeviceEnvelope | null> {
    const { crypto, random } = this.#ctx
    const record = (await step.get(sessionRecord, sessionKey(peer))) ?? noSessions
    const sealed = sealToDevice({ crypto, random, set: record.set, local, peer, content })
    if (!sealed.ok) return null
    step.put(sessionRecord, sessionKey(peer), { ...record, set: sealed.set })
    return sealed.message
  }

  async openToDevice(
    step: Step,
    local: LocalDevice,
    peer: PeerDevice,
    message: ToDeviceEnvelope,
  ): Promise<OpenToDeviceResult> {
    const { crypto } = this.#ctx
    const { record, prekeys } = await this.#receiving(step, peer)
    const opened = openToDevice({ crypto, set: record.set, prekeys, local, peer, message })
    if (opened.ok) {
      step.put(sessionRecord, sessionKey(peer), { ...record, set: opened.set })
      if (opened.prekeys !== prekeys) step.put(prekeyRecord, OWN_PREKEYS, opened.prekeys)
    }
    return opened
  }

  /** Forgets sessions that the peer says it has lost. */
  async drop(step: Step, peer: PeerDevice, lost: readonly string[]): Promise<void> {
    const record = await step.get(sessionRecord, sessionKey(peer))
    if (record === null) return
    const set = lost.reduce(dropSession, record.set)
    if (set !== record.set) step.put(sessionRecord, sessionKey(peer), { ...record, set })
  }

  /** Whether the peer is to be told now that a session is lost; at most once in `pause` milliseconds. */
  async claimReset(step: Step, peer: PeerDevice, pause: number): Promise<boolean> {
    const record = (await step.get(sessionRecord, sessionKey(peer))) ?? noSessions
    const now = this.#ctx.clock.now()
    if (record.resetAt !== null && now - record.resetAt < pause && now >= record.resetAt)
      return false
    step.put(sessionRecord, sessionKey(peer), { ...record, resetAt: now })
    return true
  }

  async #receiving(step: Step, peer: PeerDevice) {
    const record = (await step.get(sessionRecord, sessionKey(peer))) ?? noSessions
    const prekeys = await step.get(prekeyRecord, OWN_PREKEYS)
    if (prekeys === null) throw new EngineError('internal')
    return { record, prekeys }
  }
}
