/**
 * Making a room (Room state §7): its first state events, sealed here one on top of the other. The room's
 * id comes from the first of them, so it is known, and used, before the node has answered.
 */
import {
  applyEvent,
  createBody,
  emptyState,
  formatRoomId,
  historyVisibilityBody,
  inviteBody,
  joinBody,
  joinRulesBody,
  makeEvent,
  nameBody,
  powerBody,
  sealClearEnvelope,
  statePosition,
  toBase64Url,
  topicBody,
} from '../../protocol/index.ts'
import type { JsonObject, LocalDevice, RoomState, StateBody } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import { displayName } from '../devices/contacts.ts'
import type { Contacts } from '../devices/contacts.ts'
import { EngineError } from '../errors.ts'
import { submissionOf } from '../outbox/seal.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Step } from '../store/database.ts'
import { newRoomEntry } from './room-list.ts'
import type { RoomList } from './room-list.ts'
import { ownChainKey, ownChainRecord } from './room-records.ts'

export interface Invitee {
  readonly member: string
  readonly userId: string
}

export interface RoomPlan {
  readonly kind: 'direct' | 'group'
  readonly name: string
  readonly topic: string
  readonly historyVisibility: 'invited' | 'joined' | 'shared'
  readonly invite: readonly Invitee[]
}

/** Submissions of one request; further invitations go out one by one. */
export const MAX_FIRST_INVITES = 24

export class RoomMaker {
  readonly #ctx: Context
  readonly #contacts: Contacts
  readonly #rooms: RoomList
  readonly #outbox: Outbox

  constructor(
    ctx: Context,
    parts: { readonly contacts: Contacts; readonly rooms: RoomList; readonly outbox: Outbox },
  ) {
    this.#ctx = ctx
    this.#contacts = parts.contacts
    this.#rooms = parts.rooms
    this.#outbox = parts.outbox
  }

  /** Seals and queues; the entry's key and the room's id. */
  async make(step: Step, plan: RoomPlan): Promise<{ room: string; key: string }> {
    const { me, newId, clock } = this.#ctx
    const manifest = await this.#contacts.manifest(step, me.member)
    const local = await this.#contacts.local(step)
    if (manifest === null) throw new EngineError('internal')
    const bodies = this.#bodies(plan, manifest)
    const { submissions, room, last, count } = this.#seal(local, bodies)
    const key = newId()
    const body = { txn: key, visibility: 'private', submissions }
    const sealed = { txn: key, envelope: last, type: 'create', bytes: JSON.stringify(body) }
    step.put(ownChainRecord, ownChainKey(room), { v: 1, seq: count, last })
    const [peer] = plan.kind === 'direct' ? plan.invite : []
    const person = peer === undefined ? null : await this.#contacts.person(step, peer.member)
    await this.#rooms.put(
      step,
      newRoomEntry({
        id: room,
        kind: plan.kind,
        visibility: 'private',
        membership: 'join',
        name: plan.name,
        topic: plan.topic,
        peer: peer === undefined ? null : { ...peer, name: displayName(person, peer.userId) },
        memberCount: 1,
        lastActivity: clock.now(),
        creating: true,
      }),
    )
    await this.#outbox.add(step, { key, room, job: { kind: 'create' }, sealed })
    return { room, key }
  }

  #bodies(plan: RoomPlan, manifest: { head: string; height: number }): StateBody[] {
    const { me, crypto, random } = this.#ctx
    const { kind, name, topic, historyVisibility, invite } = plan
    const ed25519 = crypto.ed25519PublicKey(me.secrets.ed25519)
    const founder = { head: manifest.head, height: manifest.height, ed25519: toBase64Url(ed25519) }
    const server = me.serverName
    return [
      createBody({ kind, visibility: 'private', creator: me.userId, server, founder }, random),
      joinBody(me.member, me.userId),
      // Nobody joins two people who talk.
      powerBody(kind === 'direct' ? { invite: 100 } : {}),
      joinRulesBody('invite'),
      historyVisibilityBody(historyVisibility),
      ...(name === '' ? [] : [nameBody(name)]),
      ...(topic === '' ? [] : [topicBody(topic)]),
      ...invite.map(({ member, userId }) => inviteBody(member, userId)),
    ]
  }

  #seal(local: LocalDevice, bodies: readonly StateBody[]) {
    const { crypto, random, clock, me } = this.#ctx
    const nodeKey = { keyId: 'none', secret: random(32) }
    const submissions: JsonObject[] = []
    let state: RoomState = emptyState
    let last: string | null = null
    let room = ''
    for (const [seq, { type, stateKey, content }] of bodies.entries()) {
      const at = statePosition(crypto, state, me.member, { type, stateKey })
      const ts = clock.now()
      const result = sealClearEnvelope({
        crypto,
        local,
        content,
        state: at.state,
        draft: { room: at.room, type, roster: at.roster, ts, seq, prev_own: last },
      })
      if (!result.ok) throw new EngineError('bad_input')
      const { sealed } = result
      submissions.push(submissionOf(sealed, []))
      last = sealed.id
      if (room === '') room = formatRoomId(sealed.id, me.serverName)
      // Stands for the event that the node will make, so that the next envelope can be placed on it.
      const event = makeEvent(crypto, {
        envelope: sealed.header,
        body: sealed.body,
        sig: sealed.sig,
        prevEvents: [],
        authEvents: [],
        origin: me.serverName,
        originTs: ts,
        nodeKey,
      })
      state = applyEvent(state, event)
    }
    return { submissions, room, last: last ?? '', count: bodies.length }
  }
}
