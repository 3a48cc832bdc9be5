/**
 * A verified message, opened and kept (Two objects §5, Who can read §6): its sender's device by the
 * manifest, its key through the session, or, where the key has not come, what is kept until it does.
 */
import {
  arrivedHeader,
  deviceKeyOf,
  fromBase64Url,
  isJoined,
  openEnvelope,
  toBase64Url,
  userIdOf,
} from '../../protocol/index.ts'
import type { JsonObject, PeerDevice, RoomEvent, RoomState, Wrap } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { KeyRequests } from '../sessions/key-requests.ts'
import type { SessionRepair } from '../sessions/session-repair.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Step } from '../store/database.ts'
import { findContentKey, keepContentKey } from '../timeline/content-keys.ts'
import type { MessageReader, ReadBase } from '../timeline/message-reader.ts'
import type { StoredItem } from '../timeline/stored-item.ts'
import { sealedKey, sealedRecord } from '../timeline/timeline-records.ts'
import type { Timeline } from '../timeline/timeline.ts'

export interface MessageIntakeParts {
  readonly contacts: Contacts
  readonly sessions: Sessions
  readonly repair: SessionRepair
  readonly keyRequests: KeyRequests
  readonly timeline: Timeline
  readonly reader: MessageReader
  readonly outbox: Outbox
}

export interface ArrivedMessage {
  readonly room: string
  readonly event: RoomEvent
  readonly wrap: Wrap | undefined
  /** What the room was like when it came. */
  readonly state: RoomState
  /** From before what is known here. */
  readonly old: boolean
  /** Its place in the sender's chain was taken. */
  readonly equivocal: boolean
}

/** Items are returned, not stored; what the message does to earlier ones is in the step. */
export interface Opened {
  readonly items: readonly StoredItem[]
  /** By others and readable: to be confirmed with a receipt. */
  readonly received: boolean
}

const NOTHING: Opened = { items: [], received: false }

export class MessageIntake {
  readonly #ctx: Context
  readonly #parts: MessageIntakeParts
  readonly #unknownHeads = new Set<string>()

  constructor(ctx: Context, parts: MessageIntakeParts) {
    this.#ctx = ctx
    this.#parts = parts
  }

  /** Heads of the own manifest that senders named since the last call and that are not known here. */
  takeUnknownHeads(): string[] {
    const heads = [...this.#unknownHeads]
    this.#unknownHeads.clear()
    return heads
  }

  async take(step: Step, arrived: ArrivedMessage): Promise<Opened> {
    const { me } = this.#ctx
    const { room, event, state } = arrived
    const { header, envelopeId } = event
    if (header.member === me.member && header.device === me.device) {
      const echoed = await this.#echo(step, room, event)
      if (echoed !== null) return echoed
    }
    const sender = await this.#sender(step, arrived)
    const base: ReadBase = {
      envelope: envelopeId,
      header,
      userId: userIdOf(state, header.member) ?? header.member,
      originTs: event.pdu.event.origin_ts,
      warnings: [
        ...(arrived.equivocal ? (['replayed_sequence'] as const) : []),
        ...(sender?.removed === true ? (['sender_device_removed'] as const) : []),
        ...(sender?.trusted === false && !sender.removed ? (['key_changed'] as const) : []),
      ],
    }
    const { reader } = this.#parts
    if (sender === null) return item(reader.unreadable(base, 'unauthorized_sender'))
    if (event.body === null) return item(reader.unreadable(base, 'withheld_by_server'))
    if (header.transport !== 'pairwise') return item(reader.unreadable(base, 'unsupported_format'))
    return this.#open(step, arrived, sender.peer, base)
  }

  /** The wrap of a message that was there before it: another node had passed the message on without. */
  async late(step: Step, arrived: ArrivedMessage): Promise<void> {
    const { sessions, contacts, keyRequests } = this.#parts
    const { room, event, wrap } = arrived
    const { envelopeId: envelope } = event
    if (wrap === undefined || (await step.get(sealedRecord, sealedKey(envelope))) === null) return
    const sender = await this.#sender(step, arrived)
    if (sender === null) return
    const local = await contacts.local(step)
    const unwrapped = await sessions.unwrap(step, local, sender.peer, envelope, wrap)
    if (unwrapped.ok)
      await keyRequests.take(step, room, envelope, toBase64Url(unwrapped.contentKey))
  }

  async #open(
    step: Step,
    arrived: ArrivedMessage,
    peer: PeerDevice,
    base: ReadBase,
  ): Promise<Opened> {
    const { sessions, repair, contacts } = this.#parts
    const { room, event, wrap } = arrived
    const { envelopeId: envelope } = event
    if (wrap === undefined) return this.#await(step, arrived, base)
    const local = await contacts.local(step)
    const unwrapped = await sessions.unwrap(step, local, peer, envelope, wrap)
    if (!unwrapped.ok) {
      this.#ctx.log('wrap.refused', { code: unwrapped.code })
      await repair.lost(step, { peer, userId: base.userId }, wrap.session, unwrapped.code)
      return this.#await(step, arrived, base)
    }
    const { contentKey, head } = unwrapped
    if (!(await contacts.ownHeadKnown(step, head))) this.#unknownHeads.add(head)
    return this.#read(step, room, event, base, contentKey)
  }

  async #read(
    step: Step,
    room: string,
    event: RoomEvent,
    base: ReadBase,
    contentKey: Uint8Array,
  ): Promise<Opened> {
    const { crypto, me } = this.#ctx
    const { timeline, reader } = this.#parts
    const { header, envelopeId: envelope } = event
    const body = event.body ?? new Uint8Array()
    const opened = openEnvelope({ crypto, header: arrivedHeader(event), body, contentKey })
    if (opened.ok && header.expires_at === undefined)
      await keepContentKey(step, timeline, { room, envelope, contentKey })
    const read = reader.read(base, opened)
    const received = header.member !== me.member && opened.ok
    if (read.kind === 'item') return { ...item(read.item), received }
    await reader.relate(step, room, read.relation)
    return { ...NOTHING, received }
  }

  /** No key: asked for, where someone may have it for this device. */
  async #await(step: Step, arrived: ArrivedMessage, base: ReadBase): Promise<Opened> {
    const { me, clock } = this.#ctx
    const { room, event, state } = arrived
    const { reader, keyRequests, contacts, timeline } = this.#parts
    const { header, envelopeId: envelope } = event
    const kept = await findContentKey(step, timeline, room, envelope)
    if (kept !== null) return this.#read(step, room, event, base, fromBase64Url(kept.K))
    const listed = deviceKeyOf(state, me.member, me.device) !== undefined
    const meant = isJoined(state, me.member) && listed
    const own = await contacts.trustedDevices(step, me.member)
    const hasOthers = own.some(({ device }) => device !== me.device)
    if (!hasOthers && header.device === me.device)
      return item(reader.unreadable(base, 'key_exchange_failed'))
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
    const { userId } = base
    await keyRequests.ask(step, { room, envelope, member, userId, device: device ?? '', meant })
    return item(reader.blank(base, { state: 'waiting_for_key', since: clock.now() }))
  }

  /** What this device sent comes back in its place; null where it does not remember having sent it. */
  async #echo(step: Step, room: string, event: RoomEvent): Promise<Opened | null> {
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
    { event, state, old }: ArrivedMessage,
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
}

function item(stored: StoredItem): Opened {
  return { ...NOTHING, items: [stored] }
}
