/**
 * One event of a room, as it arrives: verified against the state known, told apart, put into effect
 * (Two objects §5, Room state §7). Messages are opened in `message-intake.ts`.
 *
 * Whatever an event turns out to be, it never stops the ones after it: what is forged, moved or malformed
 * becomes a notice, what can't be read yet waits for its key.
 */
import {
  canRedact,
  checkIncoming,
  emptySequence,
  isState,
  mayReturn,
  MESSAGE_TYPES,
  readContent,
  toBase64Url,
  toUtf8,
  trackSequence,
} from '../../protocol/index.ts'
import type { RoomEvent, RoomState } from '../../protocol/index.ts'
import type { TimelineEntry } from '../../api/index.ts'
import type { Context } from '../context.ts'
import type { OriginKeyBook } from '../rooms/origin-keys.ts'
import type { RoomList } from '../rooms/room-list.ts'
import { sequenceKey, sequenceRecord } from '../rooms/room-records.ts'
import type { RoomStates } from '../rooms/room-states.ts'
import type { Step } from '../store/database.ts'
import type { StoredNotice } from '../timeline/stored-item.ts'
import { MessageIntake } from './message-intake.ts'
import type { MessageIntakeParts, Opened } from './message-intake.ts'
import { describeRoom, noticesOf } from './room-facts.ts'

export interface RoomIntakeParts extends MessageIntakeParts {
  readonly rooms: RoomList
  readonly states: RoomStates
  readonly originKeys: OriginKeyBook
}

/** What an event left for the caller to do in the same step. */
export interface Taken extends Opened {
  /** The state known here is not the one the sender or the node goes by. */
  readonly stateDoubtful: boolean
}

const NOTHING: Taken = { items: [], received: false, stateDoubtful: false }

/** Sequences remembered per device; ids in the index decide on older ones. */
const KEPT_SEQUENCE = 64

type RefusedReason = Extract<StoredNotice['notice'], { what: 'refused' }>['reason']

export class RoomIntake {
  readonly #ctx: Context
  readonly #parts: RoomIntakeParts
  readonly messages: MessageIntake

  constructor(ctx: Context, parts: RoomIntakeParts) {
    this.#ctx = ctx
    this.#parts = parts
    this.messages = new MessageIntake(ctx, parts)
  }

  /**
   * What is from before what is known here (`verdicts`, by event id) is held against the events it rests on and
   * changes no state; after a state that was told anew (`restated`) also what is known finds its place again.
   * Items are returned, not stored.
   */
  async take(
    step: Step,
    room: string,
    entry: TimelineEntry,
    from: { readonly verdicts: ReadonlyMap<string, string> } | { readonly restated: boolean },
  ): Promise<Taken> {
    const verdicts = 'verdicts' in from ? from.verdicts : null
    const old = verdicts !== null
    const { timeline, states } = this.#parts
    const event = states.decode(entry.pdu)
    if (event === null) return this.#refuse(step, room, this.#nameless(entry), 0, 'malformed')
    const { envelopeId, header } = event
    const at = event.pdu.event.origin_ts
    if (await timeline.knows(step, room, envelopeId)) {
      const { wrap } = entry
      const state = await states.get(step, room)
      if (wrap !== undefined && event.roomId === room && header.type === MESSAGE_TYPES.message)
        await this.messages.late(step, { room, event, wrap, state, old: true, equivocal: false })
      if ('restated' in from && from.restated) await this.#returned(step, room, event, state)
      return NOTHING
    }
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
    const arrived = { room, event, wrap: entry.wrap, state, ...how }
    return { ...NOTHING, ...(await this.messages.take(step, arrived)) }
  }

  async #returned(step: Step, room: string, event: RoomEvent, state: RoomState): Promise<void> {
    if (event.roomId !== room || !isState(event) || !mayReturn(event, state)) return
    const keys = await this.#parts.originKeys.lookup(step)
    const checked = checkIncoming(this.#ctx.crypto, state, event, keys)
    if (checked.ok) await this.#applyState(step, room, checked.state)
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
    await this.#parts.reader.relate(step, room, {
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
