/**
 * What a person does to messages: write, edit, delete, react, try again, take back; and drafts. Each is
 * durable in the outbox when the call resolves, and shows at once.
 */
import * as z from 'zod'
import { isJoined, parseUserId, members } from '../../protocol/index.ts'
import type { JsonObject } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import { EngineError } from '../errors.ts'
import type { RoomList } from '../rooms/room-list.ts'
import type { RoomStates } from '../rooms/room-states.ts'
import { recordType } from '../store/record-type.ts'
import type { Step } from '../store/database.ts'
import { tables } from '../store/tables.ts'
import type { StoredMessage, StoredRelation } from '../timeline/stored-item.ts'
import type { Timeline } from '../timeline/timeline.ts'
import type { Outbox } from './outbox.ts'
import type { OutboxJob } from './outbox-records.ts'
import type { Transmitter } from './transmitter.ts'

const draftRecord = recordType(
  tables.drafts,
  z.object({ v: z.literal(1), text: z.string(), replyTo: z.string().nullable() }),
)

const PREVIEW_LENGTH = 200

export interface MessageActionParts {
  readonly rooms: RoomList
  readonly states: RoomStates
  readonly timeline: Timeline
  readonly outbox: Outbox
  readonly transmitter: Transmitter
}

export class MessageActions {
  readonly #ctx: Context
  readonly #parts: MessageActionParts

  constructor(ctx: Context, parts: MessageActionParts) {
    this.#ctx = ctx
    this.#parts = parts
  }

  async send(
    room: string,
    message: { readonly text: string; readonly replyTo: string | null; readonly clientKey: string },
  ): Promise<{ key: string }> {
    const { text, replyTo, clientKey: key } = message
    if (text.trim() === '' || !text.isWellFormed()) throw new EngineError('bad_input')
    const { db, clock } = this.#ctx
    const { rooms, outbox, timeline } = this.#parts
    const relates = replyTo === null ? {} : { relates: { kind: 'reply', target: replyTo } }
    const mentioned = await this.#mentioned(room, text)
    const mentions = mentioned.length === 0 ? {} : { mentions: mentioned }
    const content: JsonObject = { v: 1, kind: 'text', text, ...relates, ...mentions }
    await db.step('message.send', async (step) => {
      const entry = await rooms.get(step, room)
      if (entry?.membership !== 'join' || entry.hidden) throw new EngineError('unknown_room')
      if ((await timeline.keyed(step, room, key)) || (await outbox.entry(step, key)) !== null)
        return
      await outbox.add(step, { key, room, job: { kind: 'message', content, shown: true } })
      step.delete(draftRecord, room)
      const preview = {
        sender: '',
        text: cut(text),
        mine: true,
        kind: 'text' as const,
      }
      await rooms.put(step, {
        ...entry,
        preview,
        lastActivity: clock.now(),
        hasDraft: false,
        unread: 0,
        unseen: 0,
        mentions: 0,
      })
      this.#kick(step, room)
    })
    return { key }
  }

  async edit(room: string, envelope: string, text: string): Promise<void> {
    if (text.trim() === '' || !text.isWellFormed()) throw new EngineError('bad_input')
    await this.#relate(room, envelope, 'edit', text)
  }

  /** The others are told in the message itself, the node is told to drop the body. */
  async delete(room: string, envelope: string): Promise<void> {
    await this.#relate(room, envelope, 'delete', '')
  }

  async react(room: string, envelope: string, emoji: string, on: boolean): Promise<void> {
    await this.#relate(room, envelope, 'reaction', emoji, on)
  }

  async #relate(
    room: string,
    target: string,
    kind: 'edit' | 'delete' | 'reaction',
    text: string,
    on = true,
  ): Promise<void> {
    const { db, me, newId, clock } = this.#ctx
    const { timeline, outbox } = this.#parts
    await db.step(`message.${kind}`, async (step) => {
      const item = await timeline.find(step, room, target)
      if (item === null || item.deleted) throw new EngineError('bad_input')
      if (kind !== 'reaction' && item.member !== me.member) throw new EngineError('not_allowed')
      const relates = { kind, target }
      const said = kind === 'delete' ? {} : { text }
      const taken = on ? {} : { on: false }
      const content: JsonObject = { v: 1, kind, ...said, relates, ...taken }
      const add = (job: OutboxJob) => outbox.add(step, { key: newId(), room, job })
      await add({ kind: 'message', content, shown: false })
      if (kind === 'delete') await add({ kind: 'redact', target })
      // Shown as done at once; the envelope that says so comes back later and changes nothing more.
      const relation: StoredRelation = {
        kind,
        target,
        member: me.member,
        envelope: '',
        ts: clock.now(),
        text,
        on,
        moderator: false,
      }
      await timeline.relate(step, room, relation)
      if (kind !== 'reaction') await this.#refreshPreview(step, room, item, kind, text)
      this.#kick(step, room)
    })
  }

  async #refreshPreview(
    step: Step,
    room: string,
    item: StoredMessage,
    kind: 'edit' | 'delete',
    text: string,
  ): Promise<void> {
    await this.#parts.rooms.update(step, room, (entry) =>
      entry.preview !== null && entry.lastActivity === item.ts
        ? {
            ...entry,
            preview:
              kind === 'delete'
                ? { ...entry.preview, text: '', kind: 'deleted' }
                : { ...entry.preview, text: cut(text) },
          }
        : entry,
    )
  }

  async retry(room: string, key: string): Promise<void> {
    await this.#ctx.db.step('message.retry', async (step) => {
      const entry = await this.#parts.outbox.entry(step, key)
      if (entry?.room !== room || entry.failure === null) throw new EngineError('bad_input')
      await this.#parts.outbox.patch(step, key, (now) => ({ ...now, failure: null, refusals: 0 }))
      this.#kick(step, room)
    })
  }

  async cancel(room: string, key: string): Promise<void> {
    await this.#ctx.db.step('message.cancel', async (step) => {
      const entry = await this.#parts.outbox.entry(step, key)
      if (entry?.room !== room) throw new EngineError('bad_input')
      if (!(await this.#parts.transmitter.cancel(step, key))) throw new EngineError('not_allowed')
    })
  }

  async draft(room: string): Promise<{ text: string; replyTo: string | null }> {
    const kept = await this.#ctx.db.get(draftRecord, room)
    return { text: kept?.text ?? '', replyTo: kept?.replyTo ?? null }
  }

  async setDraft(room: string, text: string, replyTo: string | null): Promise<void> {
    await this.#ctx.db.step('draft', async (step) => {
      const empty = text === '' && replyTo === null
      if (empty) step.delete(draftRecord, room)
      else step.put(draftRecord, room, { v: 1, text, replyTo })
      await this.#parts.rooms.update(step, room, (entry) =>
        entry.hasDraft === !empty ? entry : { ...entry, hasDraft: !empty },
      )
    })
  }

  /** Members named with `@name`. */
  async #mentioned(room: string, text: string): Promise<string[]> {
    const named = new Set((text.match(/@[a-z0-9][a-z0-9._=-]*/gi) ?? []).map(lowerName))
    if (named.size === 0) return []
    const state = await this.#parts.states.get(this.#ctx.db, room)
    return members(state)
      .filter(({ member, userId }) => {
        const name = parseUserId(userId)?.name
        return isJoined(state, member) && name !== undefined && named.has(name)
      })
      .map(({ member }) => member)
  }

  #kick(step: Step, room: string): void {
    step.after(() => {
      this.#parts.transmitter.kick(room)
    })
  }
}

/** Without the `@`, and without a full stop that ends the sentence rather than the name. */
function lowerName(mention: string): string {
  return mention.slice(1).toLowerCase().replace(/[.]+$/, '')
}

function cut(text: string): string {
  const short = text.slice(0, PREVIEW_LENGTH)
  return short.isWellFormed() ? short : short.slice(0, -1)
}
