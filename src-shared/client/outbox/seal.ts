/**
 * Sealing for a room (Two objects §5, Who can read §6): for whom, with which place in the own chain, and
 * the wraps. The audience comes from verified room state and verified manifests; the node's list alone
 * adds nobody.
 */
import {
  audience,
  canSend,
  isJoined,
  MAX_PAIRWISE_DEVICES,
  MESSAGE_TYPES,
  sealClearEnvelope,
  sealEnvelope,
  statePosition,
  toBase64Url,
  expectedRosterHash,
} from '../../protocol/index.ts'
import type {
  JsonObject,
  LocalDevice,
  PeerDevice,
  RoomState,
  Roster,
  SealedClearEnvelope,
  SealResult,
  Wrap,
} from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import type { RoomStates } from '../rooms/room-states.ts'
import type { Addressee, Sessions } from '../sessions/sessions.ts'
import type { Reader, Step } from '../store/database.ts'
import { keepContentKey } from '../timeline/content-keys.ts'
import type { Timeline } from '../timeline/timeline.ts'
import type { OutboxEntry } from './outbox-records.ts'

export type SealOutcome =
  | { readonly ok: true; readonly sealed: NonNullable<OutboxEntry['sealed']> }
  /** Something has to be fetched first. */
  | { readonly ok: false; readonly code: 'not_ready' }
  | { readonly ok: false; readonly code: NonNullable<OutboxEntry['failure']> }

/** Whom a message goes to, and what is still missing before it can. */
export interface Recipients {
  readonly rosters: readonly Roster[]
  readonly addressees: readonly Addressee[]
  /** Members whose manifest is not known as far as their roster says. */
  readonly behind: readonly Roster[]
}

export class Sealer {
  readonly #ctx: Context
  readonly #contacts: Contacts
  readonly #states: RoomStates
  readonly #sessions: Sessions
  readonly #timeline: Timeline

  constructor(
    ctx: Context,
    parts: {
      readonly contacts: Contacts
      readonly states: RoomStates
      readonly sessions: Sessions
      readonly timeline: Timeline
    },
  ) {
    this.#ctx = ctx
    this.#contacts = parts.contacts
    this.#states = parts.states
    this.#sessions = parts.sessions
    this.#timeline = parts.timeline
  }

  /**
   * Devices that are active in the member's verified manifest and named, with the same key, in the
   * roster. This device itself needs no wrap.
   */
  async recipients(reader: Reader, state: RoomState): Promise<Recipients> {
    const { crypto, me } = this.#ctx
    const { rosters } = audience(crypto, state)
    const addressees: Addressee[] = []
    const behind: Roster[] = []
    for (const roster of rosters) {
      const { member, head, height, userId } = roster
      if (!(await this.#contacts.knowsHead(reader, member, head, height))) behind.push(roster)
      const listed = new Map(roster.devices.map(({ id, ed25519 }) => [id, ed25519]))
      for (const peer of await this.#contacts.trustedDevices(reader, member))
        if (peer.device !== me.device && listed.get(peer.device) === toBase64Url(peer.ed25519))
          addressees.push({ userId, peer })
    }
    return { rosters, addressees, behind }
  }

  /** In one step: content key, envelope, wraps, advanced ratchets, own place. */
  async seal(step: Step, entry: OutboxEntry): Promise<SealOutcome> {
    const { job, room } = entry
    const state = await this.#states.get(step, room)
    const { me } = this.#ctx
    if (job.kind === 'state') return this.#sealState(step, entry, state)
    if (!isJoined(state, me.member)) return { ok: false, code: 'not_a_member' }
    const type = job.kind === 'redact' ? MESSAGE_TYPES.redaction : MESSAGE_TYPES.message
    if (!canSend(state, me.member, type)) return { ok: false, code: 'no_permission' }
    return job.kind === 'redact'
      ? this.#sealRedaction(step, entry, state)
      : this.#sealMessage(step, entry, state)
  }

  async #sealMessage(step: Step, entry: OutboxEntry, state: RoomState): Promise<SealOutcome> {
    const { crypto, random } = this.#ctx
    const { room, job } = entry
    if (job.kind !== 'message') return { ok: false, code: 'server_error' }
    const { addressees } = await this.recipients(step, state)
    if (addressees.length > MAX_PAIRWISE_DEVICES) return { ok: false, code: 'refused' }
    if ((await this.#sessions.claimable(step, addressees)).length > 0)
      return { ok: false, code: 'not_ready' }
    const local = await this.#contacts.local(step)
    const place = await this.#states.takePlace(step, room)
    const result = sealEnvelope({
      crypto,
      random,
      local,
      content: job.content,
      draft: this.#draft(room, MESSAGE_TYPES.message, state, local, place),
    })
    if (!result.ok) return { ok: false, code: codeOf(result.code) }
    const { sealed } = result
    const peers = addressees.map(({ peer }) => peer)
    const { wraps } = await this.#sessions.wrap(step, peers, sealed.id, sealed.contentKey)
    place.sealed(sealed.id)
    if (sealed.header.expires_at === undefined)
      await keepContentKey(
        step,
        this.#timeline,
        { room, envelope: sealed.id, contentKey: sealed.contentKey },
        recipientSet(crypto.sha256, peers),
      )
    await this.#timeline.note(step, room, sealed.id, { o: entry.key })
    return { ok: true, sealed: this.#submission(sealed, wraps) }
  }

  async #sealRedaction(step: Step, entry: OutboxEntry, state: RoomState): Promise<SealOutcome> {
    const { crypto } = this.#ctx
    const { room, job } = entry
    if (job.kind !== 'redact') return { ok: false, code: 'server_error' }
    const local = await this.#contacts.local(step)
    const place = await this.#states.takePlace(step, room)
    const draft = this.#draft(room, MESSAGE_TYPES.redaction, state, local, place)
    const content = { target: job.target }
    return this.#finish(step, entry, place, sealClearEnvelope({ crypto, local, draft, content }))
  }

  async #sealState(step: Step, entry: OutboxEntry, state: RoomState): Promise<SealOutcome> {
    const { crypto, clock } = this.#ctx
    const { room, job } = entry
    if (job.kind !== 'state') return { ok: false, code: 'server_error' }
    const local = await this.#contacts.local(step)
    const place = await this.#states.takePlace(step, room)
    const key = { type: job.type, stateKey: job.stateKey }
    const at = statePosition(crypto, state, local.member, key)
    const result = sealClearEnvelope({
      crypto,
      local,
      content: job.content,
      state: at.state,
      draft: {
        room,
        type: job.type,
        roster: at.roster,
        ts: clock.now(),
        seq: place.seq,
        prev_own: place.prev_own,
      },
    })
    return this.#finish(step, entry, place, result)
  }

  async #finish(
    step: Step,
    entry: OutboxEntry,
    place: { sealed: (envelope: string) => void },
    result: SealResult<SealedClearEnvelope>,
  ): Promise<SealOutcome> {
    if (!result.ok) return { ok: false, code: codeOf(result.code) }
    place.sealed(result.sealed.id)
    await this.#timeline.note(step, entry.room, result.sealed.id, { o: entry.key })
    return { ok: true, sealed: this.#submission(result.sealed, []) }
  }

  #draft(
    room: string,
    type: string,
    state: RoomState,
    local: LocalDevice,
    place: { readonly seq: number; readonly prev_own: string | null },
  ) {
    const roster = expectedRosterHash(this.#ctx.crypto, state, local.member)
    const { seq, prev_own } = place
    return { room, type, roster, seq, prev_own, ts: this.#ctx.clock.now() }
  }

  #submission(sealed: SealedClearEnvelope, wraps: readonly Wrap[]) {
    return {
      txn: this.#ctx.newId(),
      envelope: sealed.id,
      type: sealed.header.type,
      bytes: JSON.stringify(submissionOf(sealed, wraps)),
    }
  }
}

export function submissionOf(sealed: SealedClearEnvelope, wraps: readonly Wrap[]): JsonObject {
  const base = {
    envelope: sealed.header as unknown as JsonObject,
    envelope_sig: sealed.sig,
    body: toBase64Url(sealed.body),
  }
  return wraps.length === 0 ? base : { ...base, wraps: wraps as unknown as readonly JsonObject[] }
}

function codeOf(code: 'bad_header' | 'bad_content' | 'too_large') {
  return code === 'too_large' ? 'too_large' : 'refused'
}

/** Named by content, so that the set is stored once as long as it stays the same. */
function recipientSet(sha256: (bytes: Uint8Array) => Uint8Array, peers: readonly PeerDevice[]) {
  const devices = peers.map(({ member, device }) => `${member}/${device}`).sort()
  const bytes = Uint8Array.from(devices.join(), (character) => character.charCodeAt(0))
  return { name: toBase64Url(sha256(bytes).subarray(0, 16)), devices }
}
