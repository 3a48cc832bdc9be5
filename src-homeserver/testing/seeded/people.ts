/**
 * The people of a seeded run: what each act becomes at the state that their own node tells, whether that state
 * allows it, what was acknowledged, and what every device was told. It knows nothing of how requests travel.
 */
import {
  banBody,
  canBan,
  canInvite,
  canKick,
  canLeave,
  canRedact,
  canSend,
  canSetPower,
  canUnban,
  decodePdu,
  inviteBody,
  joinBody,
  joinedMembers,
  joinRulesBody,
  kickBody,
  leaveBody,
  memberPowerBody,
  membershipOf,
  nameBody,
  powerIn,
  powerLevels,
  rosterOf,
  STATE_TYPES,
  stateOf,
  topicBody,
  userIdOf,
  withoutEvent,
} from '../../../src-shared/protocol/index.ts'
import type {
  Json,
  Pdu,
  RoomEvent,
  RoomState,
  StateBody,
  Wrap,
} from '../../../src-shared/protocol/index.ts'
import type { Submission } from '../../../src-shared/api/index.ts'
import { crypto, fakeWrap, newTxn } from '../../../conformance/device.ts'
import type { TestDevice } from '../../../conformance/device.ts'
import { Listener } from './listener.ts'
import type { Act } from './schedule.ts'

/** A node has said 200 to it. */
export interface Acknowledged {
  readonly eventId: string
  readonly envelopeId: string
  readonly by: Person
  readonly wraps: readonly Wrap[]
}

export interface Person {
  readonly name: string
  readonly node: string
  readonly device: TestDevice
  /** One that waits to be let in; null once it is. */
  pending: TestDevice | null
  /** As it was when their node last showed it. */
  seen: RoomState | null
  /** Something of theirs is on its way. */
  busy: boolean
}

/** Something sealed, to be sent as often as it takes. */
export interface Sealed {
  readonly by: Person
  readonly what: string
  readonly submission: Submission
  readonly txn: string
  /** Whether the state that it was sealed at allows it; null where that can't be told from there. */
  readonly allowed: boolean | null
}

export type Outcome =
  | { readonly kind: 'acknowledged'; readonly eventId: string }
  | { readonly kind: 'refused'; readonly status: number; readonly code: string }
  /** Nobody knows: the same bytes are to be sent again. */
  | { readonly kind: 'unknown' }

export class People {
  readonly all: Person[] = []
  readonly listeners: Listener[] = []
  /** By event id. */
  readonly acknowledged = new Map<string, Acknowledged>()
  readonly refusals = new Map<string, number>()
  room = ''
  readonly #decoded = new Map<string, RoomEvent>()
  #named = 0

  async add(
    name: string,
    node: string,
    device: TestDevice,
    pending: TestDevice | null,
  ): Promise<Person> {
    const person: Person = { name, node, device, pending, seen: null, busy: false }
    this.all.push(person)
    await this.listen(person, device, false)
    return person
  }

  async listen(person: Person, device: TestDevice, late: boolean): Promise<Listener> {
    const listener = new Listener(person.node, device, late)
    this.listeners.push(listener)
    await listener.begin(this.room)
    return listener
  }

  who(index: number): Person {
    const person = this.all[index]
    if (person === undefined) throw new Error('nobody')
    return person
  }

  /** Null where the act makes no sense here, or their node does not answer. */
  async seal(by: Person, act: Act): Promise<Sealed | null> {
    const { device } = by
    const told = await device.call('state', { params: { roomId: this.room } }).catch(() => null)
    if (told === null || told.status >= 500) return null
    if (told.status === 200) {
      const { events, lapsed = [] } = told.body
      const decoded = events.map((pdu) => this.#decode(pdu))
      const gone = decoded.filter(({ id }) => lapsed.includes(id))
      by.seen = gone.reduce(withoutEvent, stateOf(decoded))
    }
    const state = by.seen
    if (state === null) return null
    const what = `${by.name} ${describe(act)}`
    const made = this.#make(by, act, state)
    if (made === null) return null
    // Who is not shown the state any more is not in the room: nothing but coming in may be allowed then.
    const allowed = told.status === 200 ? made.allowed : act.kind === 'join' ? null : false
    return { by, what, submission: made.submission, txn: newTxn(), allowed }
  }

  /** The same state event is told again and again. */
  #decode(pdu: Pdu): RoomEvent {
    const known = this.#decoded.get(pdu.event_sig.sig)
    if (known !== undefined) return known
    const decoded = decodePdu(crypto, pdu as unknown as Json)
    if (!decoded.ok) throw new Error(`a state with ${decoded.code}`)
    this.#decoded.set(pdu.event_sig.sig, decoded.event)
    return decoded.event
  }

  #make(
    by: Person,
    act: Act,
    state: RoomState,
  ): { submission: Submission; allowed: boolean | null } | null {
    const { device } = by
    const { room } = this
    const me = device.member
    const set = (body: StateBody, allowed: boolean | null) => ({
      submission: device.sealState(room, state, body),
      allowed,
    })
    const stateful = (type: string): boolean => canSend(state, me, type, true)
    switch (act.kind) {
      case 'say': {
        const wraps = recipients(state, device)
        const submission = device.sealMessage(room, state, `${by.name} says`, wraps)
        return { submission, allowed: canSend(state, me, 'e.message') }
      }
      case 'name':
        return set(nameBody(`name ${++this.#named}`), stateful(STATE_TYPES.name))
      case 'topic':
        return set(topicBody(`topic ${++this.#named}`), stateful(STATE_TYPES.topic))
      case 'rule':
        return set(joinRulesBody(act.rule), stateful(STATE_TYPES.joinRules))
      case 'join':
        // The room as it is may be elsewhere, and have moved on.
        return set(joinBody(me, device.userId), null)
      case 'leave': {
        const inside = membershipOf(state, me) === 'join'
        return set(leaveBody(me, device.userId), inside ? canLeave(state, me) : null)
      }
      case 'redact': {
        const mine = [...this.acknowledged.values()].filter((one) => one.by.device === device)
        const target = mine.at(-1)?.envelopeId
        if (target === undefined) return null
        const allowed = canRedact(state, me, me) ? null : false
        return { submission: device.sealRedaction(room, state, target), allowed }
      }
      case 'power':
      case 'kick':
      case 'ban':
      case 'unban':
      case 'invite':
        return this.#makeAbout(by, act, state, set)
      case 'device':
      case 'forge':
        return null
    }
  }

  #makeAbout<T>(
    by: Person,
    act: Extract<Act, { readonly target: number }>,
    state: RoomState,
    set: (body: StateBody, allowed: boolean) => T,
  ): T | null {
    const me = by.device.member
    const { member, userId } = this.who(act.target).device
    const known = userIdOf(state, member) !== undefined
    switch (act.kind) {
      case 'power': {
        // The same levels once more take nothing from anybody.
        const same = powerIn(powerLevels(state), member) === act.level
        const may = same
          ? canSend(state, me, STATE_TYPES.power, true)
          : canSetPower(state, me, member, act.level)
        return set(memberPowerBody(state, member, act.level), may)
      }
      case 'invite':
        return set(inviteBody(member, userId), canInvite(state, me, member))
      case 'ban':
        return known && member !== me
          ? set(banBody(state, member), canBan(state, me, member))
          : null
      case 'kick':
      case 'unban': {
        if (!known || member === me) return null
        const banned = membershipOf(state, member) === 'ban'
        const may = banned ? canUnban(state, me, member) : canKick(state, me, member)
        return set(kickBody(state, member), may)
      }
    }
  }

  /** Sends it, and keeps what came of it. Throws where an acknowledgement is not what it was before. */
  async send(sealed: Sealed): Promise<Outcome> {
    const { by, submission, txn, what } = sealed
    const answer = await by.device.submit(this.room, submission, txn).catch(() => null)
    if (answer === null || answer.status >= 500) return { kind: 'unknown' }
    const { status, body } = answer
    if (status !== 200) {
      const code = `${String(body.errcode)} ${String(body.rule ?? '')}`.trim()
      this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1)
      return { kind: 'refused', status, code }
    }
    const { event_id: eventId, envelope_id: envelopeId } = body
    const wraps = submission.wraps ?? []
    const twice = [...this.acknowledged.values()].find(
      (one) => one.envelopeId === envelopeId && one.eventId !== eventId,
    )
    if (twice !== undefined) throw new Error(`${what}: one envelope in two events`)
    this.acknowledged.set(eventId, { eventId, envelopeId, by, wraps })
    return { kind: 'acknowledged', eventId }
  }
}

/** For every device that is to read what this one says. */
function recipients(state: RoomState, own: TestDevice): Wrap[] {
  return joinedMembers(state).flatMap((member) =>
    (rosterOf(state, member)?.devices ?? [])
      .filter(({ id }) => id !== own.id)
      .map(({ id }) => fakeWrap({ member, device: id })),
  )
}

function describe(act: Act): string {
  const { kind, ...rest } = act
  return [kind, ...Object.values(rest)].join(' ')
}
