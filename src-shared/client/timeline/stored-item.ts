/**
 * Timeline items as they are kept: by member and envelope id, without names, which are looked up when
 * shown. And what later envelopes do to them: edits, reactions, deletions, receipts.
 */
import * as z from 'zod'
import { messageWarningSchema, noticeItemSchema } from '../../view-model/index.ts'

const time = z.int().nonnegative()
const id = z.string()

const storedReactionSchema = z.object({
  emoji: z.string(),
  member: id,
  ts: time,
  /** False: taken back. Kept, so that an older envelope that arrives late changes nothing. */
  on: z.boolean(),
})

const unreadableReasonSchema = z.enum([
  'sent_before_this_device',
  'key_exchange_failed',
  'damaged_on_the_way',
  'not_meant_for_this_device',
  'commitment_mismatch',
  'withheld_by_server',
  'unsupported_format',
  'unauthorized_sender',
])
export type UnreadableReason = z.infer<typeof unreadableReasonSchema>

const storedMessageSchema = z.object({
  kind: z.literal('message'),
  key: id,
  envelope: id,
  member: id,
  userId: id,
  device: id,
  ts: time,
  text: z.string(),
  protection: z.discriminatedUnion('state', [
    z.object({ state: z.literal('protected') }),
    z.object({ state: z.literal('waiting_for_key'), since: time }),
    z.object({ state: z.literal('unreadable'), reason: unreadableReasonSchema }),
  ]),
  warnings: z.array(messageWarningSchema),
  replyTo: id.nullable(),
  edit: z.object({ ts: time, envelope: id }).nullable(),
  deleted: z.boolean(),
  reactions: z.array(storedReactionSchema),
  /** Members whose device has it, and those who have read it; own messages only. */
  delivered: z.array(id),
  read: z.array(id),
  bridge: z.object({ network: z.string(), sender: z.string() }).nullable(),
  expiresAt: time.nullable(),
})
export type StoredMessage = z.infer<typeof storedMessageSchema>

/** In place of a name: who, to be looked up. */
const storedNoticeSchema = z.object({
  kind: z.literal('notice'),
  key: id,
  ts: time,
  /** `who` and `by` hold member ids. */
  notice: noticeItemSchema.shape.notice,
})
export type StoredNotice = z.infer<typeof storedNoticeSchema>

export const storedItemSchema = z.discriminatedUnion('kind', [
  storedMessageSchema,
  storedNoticeSchema,
])
export type StoredItem = z.infer<typeof storedItemSchema>

/** What an envelope or receipt says about an earlier envelope. */
export const relationSchema = z.object({
  kind: z.enum(['edit', 'reaction', 'delete', 'redaction', 'delivered', 'read']),
  target: id,
  /** Who says so; an edit or deletion counts only from the author. */
  member: id,
  /** Envelope that carries it; empty for receipts. */
  envelope: id,
  ts: time,
  text: z.string(),
  on: z.boolean(),
  /** A redaction by someone whose power allows it for others' messages. */
  moderator: z.boolean(),
})
export type StoredRelation = z.infer<typeof relationSchema>

/** The item after the relation; the same object where it does not count. */
export function applyRelation(item: StoredMessage, relation: StoredRelation): StoredMessage {
  const author = relation.member === item.member
  switch (relation.kind) {
    case 'edit':
      if (!author || item.deleted || !isLater(relation, item.edit)) return item
      return {
        ...item,
        text: relation.text,
        edit: { ts: relation.ts, envelope: relation.envelope },
      }
    case 'reaction':
      return react(item, relation)
    case 'delete':
      return author ? erase(item) : item
    case 'redaction':
      return author || relation.moderator ? erase(item) : item
    case 'delivered':
    case 'read':
      return author ? item : receive(item, relation)
  }
}

function isLater(
  relation: { readonly ts: number; readonly envelope: string },
  than: { readonly ts: number; readonly envelope: string } | null,
): boolean {
  if (than === null || relation.ts !== than.ts) return relation.ts > (than?.ts ?? -1)
  // Two devices may edit in the same millisecond; every reader must choose the same one.
  return relation.envelope > than.envelope
}

function erase(item: StoredMessage): StoredMessage {
  if (item.deleted) return item
  return { ...item, deleted: true, text: '', edit: null, reactions: [], replyTo: null }
}

const MAX_REACTIONS = 200

function react(
  item: StoredMessage,
  { member, ts, text: emoji, on }: StoredRelation,
): StoredMessage {
  if (item.deleted || emoji === '' || emoji.length > 32) return item
  const before = item.reactions.find((known) => known.member === member && known.emoji === emoji)
  if (before !== undefined && (before.ts > ts || (before.ts === ts && before.on === on)))
    return item
  const others = item.reactions.filter((known) => known !== before)
  if (others.length >= MAX_REACTIONS) return item
  return { ...item, reactions: [...others, { emoji, member, ts, on }] }
}

function receive(item: StoredMessage, { kind, member }: StoredRelation): StoredMessage {
  const list = kind === 'read' ? item.read : item.delivered
  if (list.includes(member)) return item
  return kind === 'read'
    ? { ...item, read: [...list, member] }
    : { ...item, delivered: [...list, member] }
}
