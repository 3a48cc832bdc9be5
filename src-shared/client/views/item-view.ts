/** Timeline items as they are shown: names filled in, quotes looked up, the outbox's own state on top. */
import { parseUserId } from '../../protocol/index.ts'
import type { JsonObject } from '../../protocol/index.ts'
import type { Delivery, MessageItem, NoticeItem, TimelineItem } from '../../view-model/index.ts'
import type { Context } from '../context.ts'
import { displayName } from '../devices/contacts.ts'
import type { Contacts } from '../devices/contacts.ts'
import type { OutboxEntry } from '../outbox/outbox-records.ts'
import type { Transmitter } from '../outbox/transmitter.ts'
import type { StoredItem, StoredMessage, StoredNotice } from '../timeline/stored-item.ts'
import type { Timeline } from '../timeline/timeline.ts'

const QUOTE_LENGTH = 300

export class ItemViews {
  readonly #ctx: Context
  readonly #contacts: Contacts
  readonly #timeline: Timeline
  readonly #transmitter: Transmitter

  constructor(
    ctx: Context,
    parts: {
      readonly contacts: Contacts
      readonly timeline: Timeline
      readonly transmitter: Transmitter
    },
  ) {
    this.#ctx = ctx
    this.#contacts = parts.contacts
    this.#timeline = parts.timeline
    this.#transmitter = parts.transmitter
  }

  async item(room: string, item: StoredItem): Promise<TimelineItem> {
    return item.kind === 'notice' ? this.#notice(item) : this.#message(room, item)
  }

  async name(member: string, userId: string): Promise<string> {
    return displayName(await this.#contacts.person(this.#ctx.db, member), userId)
  }

  /** What waits in the outbox, as an item of the timeline; null for what shows elsewhere. */
  async outgoing(entry: OutboxEntry, online: boolean): Promise<MessageItem | null> {
    const { job, key, room, sealed } = entry
    if (job.kind !== 'message' || !job.shown) return null
    const { me } = this.#ctx
    const { content } = job
    const relates = content['relates'] as JsonObject | undefined
    const replyTo = typeof relates?.['target'] === 'string' ? relates['target'] : null
    return {
      kind: 'message',
      key,
      envelope: sealed?.envelope ?? null,
      sender: me.member,
      senderName: await this.name(me.member, me.userId),
      senderUserId: me.userId,
      mine: true,
      time: entry.at,
      text: String(content['text'] ?? ''),
      edited: false,
      deleted: false,
      protection: { state: 'protected' },
      warnings: [],
      delivery: this.#delivery(entry, online),
      deliveredTo: [],
      failure: entry.failure,
      quote: replyTo === null ? null : await this.#quote(room, replyTo),
      reactions: [],
      bot: false,
      bridge: null,
      expiresAt: null,
    }
  }

  #delivery(entry: OutboxEntry, online: boolean): Delivery {
    if (entry.failure !== null) return 'failed'
    // Taken by the node, but not back yet in its order.
    if (entry.sent) return 'sending'
    const flying = this.#transmitter.isFlying(entry.key)
    return flying || (online && entry.sealed !== null) ? 'sending' : 'queued'
  }

  async #message(room: string, item: StoredMessage): Promise<MessageItem> {
    const { me, db } = this.#ctx
    const mine = item.member === me.member
    const person = await this.#contacts.person(db, item.member)
    const names = async (members: readonly string[]): Promise<string[]> =>
      Promise.all(members.map((member) => this.name(member, member)))
    return {
      kind: 'message',
      key: item.key,
      envelope: item.envelope,
      sender: item.member,
      senderName: displayName(person, item.userId),
      senderUserId: item.userId,
      mine,
      time: item.ts,
      text: item.text,
      edited: item.edit !== null,
      deleted: item.deleted,
      protection: item.protection,
      warnings: item.warnings,
      delivery: mine ? deliveryOf(item) : null,
      deliveredTo: mine ? await names([...new Set([...item.delivered, ...item.read])]) : [],
      failure: null,
      quote: item.replyTo === null ? null : await this.#quote(room, item.replyTo),
      reactions: reactionsOf(item, me.member),
      bot: person?.bot ?? false,
      bridge: item.bridge,
      expiresAt: item.expiresAt,
    }
  }

  async #quote(room: string, envelope: string): Promise<MessageItem['quote']> {
    const target = await this.#timeline.find(this.#ctx.db, room, envelope)
    if (target === null) return { envelope, sender: '', senderName: '', text: '', missing: true }
    return {
      envelope,
      sender: target.member,
      senderName: await this.name(target.member, target.userId),
      text: shortened(target.text),
      missing: target.deleted || target.protection.state !== 'protected',
    }
  }

  async #notice({ key, ts, notice }: StoredNotice): Promise<NoticeItem> {
    const person = async (member: string): Promise<string> => {
      const known = await this.#contacts.person(this.#ctx.db, member)
      return displayName(known, known?.userId ?? member)
    }
    const named: Record<string, unknown> = { ...notice }
    if ('who' in notice) named['who'] = await person(notice.who)
    if ('by' in notice) named['by'] = await person(notice.by)
    return { kind: 'notice', key, time: ts, notice: named as NoticeItem['notice'] }
  }
}

function deliveryOf(item: StoredMessage): Delivery {
  if (item.read.length > 0) return 'read'
  return item.delivered.length > 0 ? 'delivered' : 'sent'
}

function reactionsOf(item: StoredMessage, me: string): MessageItem['reactions'] {
  const byEmoji = new Map<string, string[]>()
  for (const { emoji, member, on } of item.reactions)
    if (on) byEmoji.set(emoji, [...(byEmoji.get(emoji) ?? []), member])
  return [...byEmoji].map(([emoji, members]) => ({ emoji, members, mine: members.includes(me) }))
}

function shortened(text: string): string {
  const cut = text.slice(0, QUOTE_LENGTH)
  return cut.isWellFormed() ? cut : cut.slice(0, -1)
}

export function serverOf(userId: string): string {
  return parseUserId(userId)?.server ?? ''
}
