/**
 * From an opened envelope to what the timeline keeps: an item, or a change to an earlier one; and what
 * a new message means for the room's summary.
 */
import { parseUserId } from '../../protocol/index.ts'
import type { EnvelopeHeader, MessageContent, Opened } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import { displayName } from '../devices/contacts.ts'
import type { Contacts } from '../devices/contacts.ts'
import type { RoomList } from '../rooms/room-list.ts'
import type { RoomEntry } from '../rooms/room-records.ts'
import type { Step } from '../store/database.ts'
import type { StoredMessage, StoredRelation, UnreadableReason } from './stored-item.ts'
import type { Timeline } from './timeline.ts'

/** Header time and node time further apart than this are marked; milliseconds. */
const PLAUSIBLE_SKEW = 15 * 60_000
const PREVIEW_LENGTH = 200

export type Read =
  | { readonly kind: 'item'; readonly item: StoredMessage }
  | { readonly kind: 'relation'; readonly relation: StoredRelation }

export interface ReadBase {
  readonly envelope: string
  readonly header: EnvelopeHeader
  readonly userId: string
  readonly originTs: number
  readonly warnings: StoredMessage['warnings']
}

export class MessageReader {
  readonly #ctx: Context
  readonly #contacts: Contacts
  readonly #rooms: RoomList
  readonly #timeline: Timeline

  constructor(ctx: Context, contacts: Contacts, rooms: RoomList, timeline: Timeline) {
    this.#ctx = ctx
    this.#contacts = contacts
    this.#rooms = rooms
    this.#timeline = timeline
  }

  /** An item without content yet. */
  blank(base: ReadBase, protection: StoredMessage['protection']): StoredMessage {
    const { header, originTs } = base
    const implausible = Math.abs(header.ts - originTs) > PLAUSIBLE_SKEW
    return {
      kind: 'message',
      key: base.envelope,
      envelope: base.envelope,
      member: header.member,
      userId: base.userId,
      device: header.device ?? '',
      ts: implausible ? originTs : header.ts,
      text: '',
      protection,
      warnings: implausible ? [...base.warnings, 'sent_time_implausible'] : [...base.warnings],
      replyTo: null,
      edit: null,
      deleted: false,
      reactions: [],
      delivered: [],
      read: [],
      bridge: null,
      expiresAt: header.expires_at ?? null,
    }
  }

  unreadable(base: ReadBase, reason: UnreadableReason): StoredMessage {
    return this.blank(base, { state: 'unreadable', reason })
  }

  read(base: ReadBase, opened: Opened<MessageContent>): Read {
    const blank = this.blank(base, { state: 'protected' })
    return readContent(blank, opened)
  }

  /** A waiting item whose key has come. */
  async becomeReadable(
    step: Step,
    room: string,
    envelope: string,
    opened: Opened<MessageContent>,
  ): Promise<void> {
    const waiting = await this.#timeline.find(step, room, envelope)
    if (waiting === null || waiting.protection.state === 'protected') return
    const read = readContent({ ...waiting, protection: { state: 'protected' } }, opened)
    if (read.kind === 'relation') {
      await this.#timeline.remove(step, room, envelope)
      await this.relate(step, room, read.relation)
      return
    }
    // What was said about it while it waited stands.
    const text = waiting.edit !== null || waiting.deleted ? waiting.text : read.item.text
    const item = { ...read.item, text }
    await this.#timeline.update(step, room, envelope, () => item)
    await this.#refreshPreview(step, room, item)
  }

  /** What an envelope says about an earlier message: in the timeline, and in the room's summary. */
  async relate(step: Step, room: string, relation: StoredRelation): Promise<void> {
    await this.#timeline.relate(step, room, relation)
    if (relation.kind === 'reaction') return
    const item = await this.#timeline.find(step, room, relation.target)
    if (item !== null) await this.#refreshPreview(step, room, item)
  }

  async #refreshPreview(step: Step, room: string, item: StoredMessage): Promise<void> {
    const preview = await this.#preview(step, item, item.member === this.#ctx.me.member)
    await this.#rooms.update(step, room, (entry) =>
      entry.lastActivity === item.ts ? { ...entry, preview } : entry,
    )
  }

  /** Nobody has answered for its key in a long time. */
  async giveUp(step: Step, room: string, envelope: string): Promise<void> {
    await this.#timeline.update(step, room, envelope, (item) =>
      item.protection.state === 'waiting_for_key'
        ? { ...item, protection: { state: 'unreadable', reason: 'key_exchange_failed' } }
        : item,
    )
  }

  /** The summary after a new item; `live`: it arrived just now and was not sent from this account. */
  async noteActivity(step: Step, room: string, item: StoredMessage): Promise<void> {
    const { me } = this.#ctx
    const mine = item.member === me.member
    const preview = await this.#preview(step, item, mine)
    const mention = !mine && this.mentionsMe(item.text)
    await this.#rooms.update(step, room, (entry) => after(entry, item, preview, mine, mention))
  }

  mentionsMe(text: string): boolean {
    const name = parseUserId(this.#ctx.me.userId)?.name ?? ''
    const escaped = name.replace(/[.*+?^${}()|[\]\\-]/g, '\\$&')
    return new RegExp(`(^|[^\\p{L}\\p{N}_])@${escaped}($|[^\\p{L}\\p{N}_])`, 'iu').test(text)
  }

  async #preview(step: Step, item: StoredMessage, mine: boolean) {
    const person = await this.#contacts.person(step, item.member)
    const kind = previewKind(item)
    const text = kind === 'text' ? item.text.slice(0, PREVIEW_LENGTH) : ''
    return { sender: displayName(person, item.userId), text: wellFormed(text), mine, kind }
  }
}

function after(
  entry: RoomEntry,
  item: StoredMessage,
  preview: NonNullable<RoomEntry['preview']>,
  mine: boolean,
  mention: boolean,
): RoomEntry {
  return {
    ...entry,
    preview,
    lastActivity: Math.max(entry.lastActivity, item.ts),
    // Whoever writes has seen what was there.
    unread: mine ? 0 : entry.unread + 1,
    unseen: mine ? 0 : entry.unseen,
    mentions: mine ? 0 : entry.mentions + (mention ? 1 : 0),
  }
}

/** Cutting may have split a pair of surrogates. */
function wellFormed(text: string): string {
  return text.isWellFormed() ? text : text.slice(0, -1)
}

function previewKind(item: StoredMessage): 'text' | 'deleted' | 'waiting' | 'unreadable' {
  if (item.deleted) return 'deleted'
  switch (item.protection.state) {
    case 'protected':
      return 'text'
    case 'waiting_for_key':
      return 'waiting'
    case 'unreadable':
      return 'unreadable'
  }
}

function readContent(blank: StoredMessage, opened: Opened<MessageContent>): Read {
  if (!opened.ok) return unreadable(blank, reasonOf(opened.code))
  const { content, header } = opened
  const { relates } = content
  const relation = (kind: StoredRelation['kind'], on = true): Read => ({
    kind: 'relation',
    relation: {
      kind,
      target: relates?.target ?? '',
      member: header.member,
      envelope: opened.id,
      ts: header.ts,
      text: content.text ?? '',
      on,
      moderator: false,
    },
  })
  switch (content.kind) {
    case 'edit':
      return relation('edit')
    case 'delete':
      return relation('delete')
    case 'reaction':
      return relation('reaction', content['on'] !== false)
    default:
      break
  }
  // A kind of a later version may still bring a text to show.
  if (content.text === undefined) return unreadable(blank, 'unsupported_format')
  const { provenance } = content
  return {
    kind: 'item',
    item: {
      ...blank,
      text: content.text,
      replyTo: relates?.kind === 'reply' || relates?.kind === 'thread' ? relates.target : null,
      bridge:
        provenance === undefined
          ? null
          : { network: provenance.network, sender: provenance.sender_name ?? provenance.sender },
      // What is signed in the open counts: keys are kept or dropped by it.
      expiresAt: blank.expiresAt ?? content.expires_at ?? null,
    },
  }
}

function unreadable(blank: StoredMessage, reason: UnreadableReason): Read {
  return { kind: 'item', item: { ...blank, protection: { state: 'unreadable', reason } } }
}

function reasonOf(code: Extract<Opened<MessageContent>, { ok: false }>['code']): UnreadableReason {
  switch (code) {
    case 'wrong_commitment':
      return 'commitment_mismatch'
    case 'wrong_body':
    case 'undecipherable':
      return 'damaged_on_the_way'
    default:
      return 'unsupported_format'
  }
}
