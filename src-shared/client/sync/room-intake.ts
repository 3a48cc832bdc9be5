/**
 * One event of a room, from the wire to the store: verified against the state known, opened through the
 * sender's session, kept (Two objects §5, Who can read §6).
 *
 * Whatever an event turns out to be, it never stops the ones after it: what is forged, moved or malformed
 * becomes a notice, what can't be read yet waits for its key.
 */
import {
  canRedact,
  checkIncoming,
  deviceKeyOf,
  emptySequence,
  isJoined,
  isState,
  MESSAGE_TYPES,
  openEnvelope,
  readContent,
  toBase64Url,
  toUtf8,
  trackSequence,
  userIdOf,
} from '../../protocol/index.ts'
import type { JsonObject, PeerDevice, RoomEvent, RoomState } from '../../protocol/index.ts'
import type { TimelineEntry } from '../../api/index.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { OriginKeyBook } from '../rooms/origin-keys.ts'
import type { RoomList } from '../rooms/room-list.ts'
import { sequenceKey, sequenceRecord } from '../rooms/room-records.ts'
import type { RoomStates } from '../rooms/room-states.ts'
import type { KeyRequests } from '../sessions/key-requests.ts'
import type { SessionRepair } from '../sessions/session-repair.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Step } from '../store/database.ts'
import { keepContentKey } from '../timeline/content-keys.ts'
import type { MessageReader, ReadBase } from '../timeline/message-reader.ts'
import type { StoredItem, StoredNotice } from '../timeline/stored-item.ts'
import { sealedKey, sealedRecord } from '../timeline/timeline-records.ts'
import type { Timeline } from '../timeline/timeline.ts'
import { describeRoom, noticesOf } from './room-facts.ts'

export interface IntakeParts {
  readonly contacts: Contacts
  readonly rooms: RoomList
  readonly states: RoomStates
  readonly originKeys: OriginKeyBook
  readonly sessions: Sessions
  readonly repair: SessionRepair
  readonly keyRequests: KeyRequests
  readonly timeline: Timeline
  readonly reader: MessageReader
  readonly outbox: Outbox
}

/** What an event left for the caller to do in the same step. */
export interface Taken {
  readonly items: readonly StoredItem[]
  /** By others and readable: to be confirmed with a receipt. */
  readonly received: boolean
  /** The state known here is not the one the sender or the node goes by. */
  readonly stateDoubtful: boolean
}

const NOTHING: Taken = { items: [], received: false, stateDoubtful: false }

/** Sequences remembered per device; ids in the index decide on older ones. */
const KEPT_SEQUENCE = 64

type RefusedReason = Extract<StoredNotice['notice'], { what: 'refused' }>['reason']

export class RoomIntake {
  readonly #ctx: Context
  readonly #parts: IntakeParts

  constructor(ctx: Context, parts: IntakeParts) {
    this.#ctx = ctx
    this.#parts = parts
  }

  /**
   * `old`: from before what is known here, so it is held against the events it rests on (`verdicts`, by
   * event id) and changes no state. Items are returned, not stored.
   */
  async take(
    step: Step,
    room: string,
    entry: TimelineEntry,
    verdicts: ReadonlyMap<string, string> | null,
  ): Promise<Taken> {
    const old = verdicts !== null
    const { timeline, states } = this.#parts
    const event = states.decode(entry.pdu)
    if (event === null) return this.#refuse(step, room, this.#nameless(entry), 0, 'malformed')
    const { envelopeId, header } = event
    const at = event.pdu.event.origin_ts
    if (await timeline.knows(step, room, envelopeId)) return NOTHING
    if (event.roomId !== room) return this.#refuse(step, room, envelopeId, at, 'reattributed')

    const state = await states.get(step, room)
    const checked = old
      ? checkOld(verdicts.get(event.id))
      : checkIncoming(this.#ctx.crypto, state, event, await this.#parts.originKeys.lookup(step))
    if (!checked.ok) {
      this.#ctx.log('event.refused', { code: checked.code })
      const refused = await this.#refuse(step, room, envelopeId, at, reasonOf(checked.code))
      return { ...refused, stateDoubtful: true }
    }
    const sequence = await this.#track(step, room, event)
    if (sequence === 'replay') return NOTHING
    const taken = await this.#dispatch(step, room, event, entry, state, {
      old,
      equivocal: sequence === 'equivocation',
      after: 'state' in checked ? checked.state : state,
    })
    const agrees = !('rosterAgrees' in checked) || checked.rosterAgrees
    if (header.device !== null && taken.items.length === 0)
      await timeline.note(step, room, envelopeId, { s: 1, o: undefined })
    return agrees ? taken : { ...taken, stateDoubtful: true }
  }

  async #dispatch(
    step: Step,
    room: string,
    event: RoomEvent,
    entry: TimelineEntry,
    state: RoomState,
    how: { readonly old: boolean; readonly equivocal: boolean; readonly after: RoomState },
  ): Promise<Taken> {
    const { timeline } = this.#parts
    if (isState(event)) {
      await timeline.note(step, room, event.envelopeId, { s: 1 })
      if (!how.old) await this.#applyState(step, room, how.after)
      return { ...NOTHING, items: how.old ? [] : noticesOf(event, state) }
    }
    if (event.header.type === MESSAGE_TYPES.redaction) {
      await this.#redact(step, room, event, state)
      return NOTHING
    }
    if (event.header.type !== MESSAGE_TYPES.message) return NOTHING
    return this.#message(step, room, event, entry, state, how)
  }

  async #applyState(step: Step, room: string, state: RoomState): Promise<void> {
    const { states, rooms } = this.#parts
    states.put(step, room, state)
    const before = await rooms.get(step, room)
    await rooms.put(step, describeRoom(room, state, this.#ctx.me.member, before))
  }

  async #redact(step: Step, room: string, event: RoomEvent, state: RoomState): Promise<void> {
    const content = readContent(event, MESSAGE_TYPES.redaction)
    if (content === null) return
    const { member, ts } = event.header
    await this.#parts.timeline.relate(step, room, {
      kind: 'redaction',
      target: content.target,
      member,
      envelope: event.envelopeId,
      ts,
      text: '',
      on: true,
      // Asked of a stranger's message: whether the sender's power reaches those of others.
      moderator: canRedact(state, member, ''),
    })
  }

  async #message(
    step: Step,
    room: string,
    event: RoomEvent,
    entry: TimelineEntry,
    state: RoomState,
    how: { readonly old: boolean; readonly equivocal: boolean },
  ): Promise<Taken> {
    const { me } = this.#ctx
    const { header, envelopeId } = event
    if (header.member === me.member && header.device === me.device) {
      const echoed = await this.#echo(step, room, event)
      if (echoed !== null) return echoed
    }
    const sender = await this.#sender(step, event, state, how.old)
    const base: ReadBase = {
      envelope: envelopeId,
      header,
      userId: userIdOf(state, header.member) ?? header.member,
      originTs: event.pdu.event.origin_ts,
      warnings: [
        ...(how.equivocal ? (['replayed_sequence'] as const) : []),
        ...(sender?.removed === true ? (['sender_device_removed'] as const) : []),
        ...(sender?.trusted === false && !sender.removed ? (['key_changed'] as const) : []),
      ],
    }
    const { reader } = this.#parts
    if (sender === null) return item(reader.unreadable(base, 'unauthorized_sender'))
    if (event.body === null) return item(reader.unreadable(base, 'withheld_by_server'))
    if (header.transport !== 'pairwise') return item(reader.unreadable(base, 'unsupported_format'))
    return this.#open(step, room, event, entry, state, sender.peer, base)
  }

  async #open(
    step: Step,
    room: string,
    event: RoomEvent,
    entry: TimelineEntry,
    state: RoomState,
    peer: PeerDevice,
    base: ReadBase,
  ): Promise<Taken> {
    const { crypto, me } = this.#ctx
    const { sessions, repair, reader, contacts, timeline } = this.#parts
    const { envelopeId: envelope, header } = event
    const body = event.body ?? new Uint8Array()
    if (entry.wrap === undefined) return this.#await(step, room, event, state, base)
    const local = await contacts.local(step)
    const unwrapped = await sessions.unwrap(step, local, peer, envelope, entry.wrap)
    if (!unwrapped.ok) {
      this.#ctx.log('wrap.refused', { code: unwrapped.code })
      await repair.lost(step, { peer, userId: base.userId }, entry.wrap.session, unwrapped.code)
      return this.#await(step, room, event, state, base)
    }
    const { contentKey } = unwrapped
    const opened = openEnvelope({ crypto, header, body, contentKey })
    if (opened.ok && header.expires_at === undefined)
      await keepContentKey(step, timeline, { room, envelope, contentKey })
    const read = reader.read(base, opened)
    const received = header.member !== me.member && opened.ok
    if (read.kind === 'item') return { ...item(read.item), received }
    await timeline.relate(step, room, read.relation)
    return { ...NOTHING, received }
  }

  /** No key: asked for, where someone may have it for this device. */
  async #await(
    step: Step,
    room: string,
    event: RoomEvent,
    state: RoomState,
    base: ReadBase,
  ): Promise<Taken> {
    const { me, clock } = this.#ctx
    const { reader, keyRequests, contacts } = this.#parts
    const { header, envelopeId: envelope } = event
    const listed = deviceKeyOf(state, me.member, me.device) !== undefined
    const meant = isJoined(state, me.member) && listed
    const own = await contacts.trustedDevices(step, me.member)
    const hasOthers = own.some(({ device }) => device !== me.device)
    if (!meant && !hasOthers)
      return item(
        reader.unreadable(
          base,
          isJoined(state, me.member) ? 'sent_before_this_device' : 'not_meant_for_this_device',
        ),
      )
    step.put(sealedRecord, sealedKey(envelope), {
      v: 1,
      room,
      header: header as unknown as Record<string, unknown>,
      body: toBase64Url(event.body ?? new Uint8Array()),
    })
    const { member, device } = header
    const key = { room, envelope, member, userId: base.userId, device: device ?? '' }
    await keyRequests.ask(step, key, meant)
    return item(reader.blank(base, { state: 'waiting_for_key', since: clock.now() }))
  }

  /** What this device sent comes back in its place; null where it does not remember having sent it. */
  async #echo(step: Step, room: string, event: RoomEvent): Promise<Taken | null> {
    const { timeline, outbox, reader } = this.#parts
    const key = (await timeline.indexed(step, room, event.envelopeId))?.o
    const entry = key === undefined ? null : await outbox.entry(step, key)
    if (entry === null || entry.sealed?.envelope !== event.envelopeId) return null
    await outbox.remove(step, entry.key)
    const { job } = entry
    if (job.kind !== 'message' || !job.shown) return NOTHING
    const base: ReadBase = {
      envelope: event.envelopeId,
      header: event.header,
      userId: this.#ctx.me.userId,
      originTs: event.pdu.event.origin_ts,
      warnings: [],
    }
    const blank = reader.blank(base, { state: 'protected' })
    const relates = job.content['relates'] as JsonObject | undefined
    const replyTo = typeof relates?.['target'] === 'string' ? relates['target'] : null
    const text = String(job.content['text'] ?? '')
    return item({ ...blank, key: entry.key, text, replyTo })
  }

  /**
   * The sending device by its manifest. Null where no manifest backs the key under which the room lists
   * it: the home node may have made it up.
   */
  async #sender(
    step: Step,
    event: RoomEvent,
    state: RoomState,
    old: boolean,
  ): Promise<{ peer: PeerDevice; removed: boolean; trusted: boolean } | null> {
    const { contacts } = this.#parts
    const { member, device } = event.header
    if (device === null) return null
    const manifest = await contacts.manifest(step, member)
    const status = manifest?.devices.get(device)?.status
    const peer = await contacts.device(step, member, device)
    if (peer === null || status === undefined || status === 'pending') return null
    const listed = deviceKeyOf(state, member, device)
    if (!old && listed !== toBase64Url(peer.ed25519)) return null
    const trusted = await contacts.trustedDevices(step, member)
    return {
      peer,
      removed: status === 'removed' && !old,
      trusted: trusted.some((known) => known.device === device) || old,
    }
  }

  async #track(step: Step, room: string, event: RoomEvent) {
    const { device, seq, prev_own } = event.header
    if (device === null) return 'fresh'
    const key = sequenceKey(room, device)
    const known = (await step.get(sequenceRecord, key)) ?? emptySequence
    const { verdict, state } = trackSequence(known, { seq, prev_own }, event.envelopeId)
    if (state !== known) {
      const seen = state.seen.slice(-KEPT_SEQUENCE)
      const floor = seen.length < state.seen.length ? (seen[0]?.seq ?? 0) : state.floor
      step.put(sequenceRecord, key, { ...state, seen: [...seen], floor })
    }
    return verdict.kind
  }

  async #refuse(
    step: Step,
    room: string,
    envelope: string,
    ts: number,
    reason: RefusedReason,
  ): Promise<Taken> {
    const { timeline } = this.#parts
    if (await timeline.knows(step, room, envelope)) return NOTHING
    await timeline.note(step, room, envelope, { s: 1 })
    const notice = { what: 'refused', reason } as const
    return { ...NOTHING, items: [{ kind: 'notice', key: `refused:${envelope}`, ts, notice }] }
  }

  /** What can't be decoded has no id; the same bytes are still told once. */
  #nameless(entry: TimelineEntry): string {
    return toBase64Url(this.#ctx.crypto.sha256(toUtf8(JSON.stringify(entry.pdu))))
  }
}

function checkOld(refused: string | undefined) {
  return refused === undefined ? ({ ok: true } as const) : ({ ok: false, code: refused } as const)
}

function item(stored: StoredItem): Taken {
  return { ...NOTHING, items: [stored] }
}

function reasonOf(code: string): RefusedReason {
  switch (code) {
    case 'bad_event_signature':
    case 'bad_envelope_signature':
    case 'inadmissible_key':
    case 'unknown_origin_key':
    case 'device_not_listed':
      return 'forged'
    case 'bad_header':
    case 'bad_content':
      return 'malformed'
    case 'wrong_room':
      return 'reattributed'
    default:
      return 'unauthorized'
  }
}
