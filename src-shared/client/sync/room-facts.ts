/** What a room's verified state says about its summary, and which state events are told in the timeline. */
import {
  applyEvent,
  canInvite,
  creation,
  members,
  membershipOf,
  readContent,
  rosterOf,
  stateEvent,
  STATE_TYPES,
  userIdOf,
} from '../../protocol/index.ts'
import type { RoomEvent, RoomState } from '../../protocol/index.ts'
import { roleOf } from '../rooms/roles.ts'
import { newRoomEntry } from '../rooms/room-list.ts'
import type { RoomEntry } from '../rooms/room-records.ts'
import type { StoredNotice } from '../timeline/stored-item.ts'

/** More new roles at once are told as one change. */
const MAX_ROLES_TOLD = 5

/** The summary as the state has it; what the state does not say is kept. `before` null: first sight. */
export function describeRoom(
  room: string,
  state: RoomState,
  me: string,
  before: RoomEntry | null,
): RoomEntry {
  const created = creation(state)
  const everyone = members(state)
  const kind = created?.content.kind === 'direct' ? 'direct' : 'group'
  const visibility = created?.content.visibility ?? 'private'
  const stated = membershipOf(state, me)
  const membership = stated === undefined || stated === 'ban' ? 'leave' : stated
  const entry = before ?? newRoomEntry({ id: room, kind, visibility, membership })
  const invitation = stateEvent(state, STATE_TYPES.member, me)
  const inviter =
    membership === 'invite' && invitation !== undefined
      ? everyone.find(({ member }) => member === invitation.header.member)
      : undefined
  const peer = kind === 'direct' ? peerOf(everyone, me) : undefined
  return {
    ...entry,
    kind,
    visibility,
    membership,
    hidden: isHidden(entry, membership, invitation, me),
    ended: endingOf(entry, invitation, me, state),
    asking: everyone.filter(
      ({ member, membership: standing }) => standing === 'knock' && canInvite(state, me, member),
    ).length,
    ...(membership === 'leave' ? { unread: 0, unseen: 0, mentions: 0 } : {}),
    name: nameOf(state),
    topic: topicOf(state),
    memberCount: everyone.filter((one) => one.membership === 'join').length,
    peer:
      peer === undefined
        ? entry.peer
        : { member: peer.member, userId: peer.userId, name: nameIfSame(entry.peer, peer.member) },
    inviter:
      inviter === undefined
        ? null
        : {
            member: inviter.member,
            userId: inviter.userId,
            name: nameIfSame(entry.inviter, inviter.member),
          },
    leavingAt: membership === 'join' ? entry.leavingAt : null,
  }
}

/** Who leaves or declines does not want to see the room; who is removed is told. */
function isHidden(
  entry: RoomEntry,
  membership: RoomEntry['membership'],
  own: RoomEvent | undefined,
  me: string,
): boolean {
  if (membership !== 'leave') return false
  if (entry.hidden && entry.membership === 'leave') return true
  return entry.membership === 'invite' || own === undefined || own.header.member === me
}

function endingOf(
  entry: RoomEntry,
  own: RoomEvent | undefined,
  me: string,
  state: RoomState,
): RoomEntry['ended'] {
  const content = own === undefined ? null : readContent(own, STATE_TYPES.member)
  if (own === undefined || content === null) return null
  const { membership, reason } = content
  if (own.header.member === me || (membership !== 'leave' && membership !== 'ban')) return null
  const { ended } = entry
  if (ended !== null && ended.envelope === own.envelopeId) return ended
  const how =
    membership === 'ban'
      ? 'banned'
      : entry.membership === 'knock'
        ? 'declined'
        : ended?.how === 'banned'
          ? 'allowed'
          : 'removed'
  const { member } = own.header
  const by = { member, userId: userIdOf(state, member) ?? '' }
  return { how, by, reason: reason ?? null, envelope: own.envelopeId }
}

function nameIfSame(known: { member: string; name: string } | null, member: string): string {
  return known?.member === member ? known.name : ''
}

function peerOf<T extends { readonly member: string; readonly membership: string }>(
  everyone: readonly T[],
  me: string,
): T | undefined {
  const others = everyone.filter(({ member }) => member !== me)
  return (
    others.find(({ membership }) => membership === 'join' || membership === 'invite') ?? others[0]
  )
}

function nameOf(state: RoomState): string {
  const event = stateEvent(state, STATE_TYPES.name)
  return (event && readContent(event, STATE_TYPES.name)?.name) ?? ''
}

function topicOf(state: RoomState): string {
  const event = stateEvent(state, STATE_TYPES.topic)
  return (event && readContent(event, STATE_TYPES.topic)?.topic) ?? ''
}

/**
 * How a conversation of two began, for the one who was invited: what the other tells of the same events.
 * Only where nothing of it will come again with the history: nobody reads from before they joined.
 */
export function beginningOf(state: RoomState, me: string): StoredNotice[] {
  const created = creation(state)
  const history = stateEvent(state, STATE_TYPES.historyVisibility)
  const visible = history && readContent(history, STATE_TYPES.historyVisibility)?.history_visibility
  const events = [stateEvent(state, STATE_TYPES.create), stateEvent(state, STATE_TYPES.member, me)]
  if (created?.content.kind !== 'direct' || visible !== 'joined') return []
  return events.flatMap((event) => (event === undefined ? [] : noticesOf(event, state)))
}

/** What is told of a state event that took effect on top of `before`. */
export function noticesOf(event: RoomEvent, before: RoomState): StoredNotice[] {
  const notices = tell(event, before)
  const { ts } = event.header
  return notices.map((notice, at) => ({
    kind: 'notice',
    key: at === 0 ? event.envelopeId : `${event.envelopeId}:${String(at)}`,
    ts,
    notice,
  }))
}

function tell(event: RoomEvent, before: RoomState): StoredNotice['notice'][] {
  const by = event.header.member
  switch (event.header.type) {
    case STATE_TYPES.create:
      return [{ what: 'created', by }]
    case STATE_TYPES.member:
      return tellMembership(event, before)
    case STATE_TYPES.roster:
      return tellRoster(event, before)
    // The first of each belongs to making the room.
    case STATE_TYPES.name: {
      const name = readContent(event, STATE_TYPES.name)?.name ?? ''
      return event.header.replaces === null ? [] : [{ what: 'renamed', by, name }]
    }
    case STATE_TYPES.topic: {
      const topic = readContent(event, STATE_TYPES.topic)?.topic ?? ''
      return event.header.replaces === null ? [] : [{ what: 'topic', by, topic }]
    }
    case STATE_TYPES.joinRules: {
      const rule = readContent(event, STATE_TYPES.joinRules)?.join_rule ?? 'invite'
      return event.header.replaces === null ? [] : [{ what: 'join_rule', by, rule }]
    }
    case STATE_TYPES.power:
      return event.header.replaces === null ? [] : tellPower(event, before)
    default:
      return []
  }
}

/** Who has another role by it; something else about power where nobody has. */
function tellPower(event: RoomEvent, before: RoomState): StoredNotice['notice'][] {
  const by = event.header.member
  const after = applyEvent(before, event)
  const roles = members(after).flatMap(({ member: who }): StoredNotice['notice'][] => {
    const role = roleOf(after, who)
    return role === 'creator' || role === roleOf(before, who)
      ? []
      : [{ what: 'role', who, by, role }]
  })
  return roles.length > 0 && roles.length <= MAX_ROLES_TOLD ? roles : [{ what: 'power', by }]
}

function tellMembership(event: RoomEvent, before: RoomState): StoredNotice['notice'][] {
  const { member: by, state_key: who = '' } = event.header
  const was = membershipOf(before, who)
  const content = readContent(event, STATE_TYPES.member)
  const { reason } = content ?? {}
  const said = reason === undefined ? {} : { reason }
  switch (content?.membership) {
    case 'join':
      // The creator's own joining is part of making the room.
      return was === 'join' || creation(before)?.creator === who ? [] : [{ what: 'joined', who }]
    case 'invite':
      return [{ what: 'invited', who, by }]
    case 'leave':
      if (by !== who && was === 'ban') return [{ what: 'unbanned', who, by }]
      if (by !== who && was === 'knock') return [{ what: 'knock_declined', who, by }]
      if (by !== who) return [{ what: 'removed', who, by, ...said }]
      if (was === 'knock') return [{ what: 'knock_withdrawn', who }]
      return was === 'invite' ? [{ what: 'declined', who }] : [{ what: 'left', who }]
    case 'ban':
      return [{ what: 'banned', who, by, ...said }]
    case 'knock':
      return [{ what: 'knocked', who }]
    default:
      return []
  }
}

function tellRoster(event: RoomEvent, before: RoomState): StoredNotice['notice'][] {
  const who = event.header.state_key ?? ''
  const old = stateEvent(before, STATE_TYPES.roster, who)
  const roster = readContent(event, STATE_TYPES.roster)
  const known = rosterOf(before, who)
  if (old === undefined || roster === null || known === null) return []
  const was = new Set(known.devices.map(({ id }) => id))
  const now = new Set(roster.devices.map(({ id }) => id))
  const added = [...now].filter((id) => !was.has(id))
  const removed = [...was].filter((id) => !now.has(id))
  return [
    ...added.map((device) => ({ what: 'device_added' as const, who, device })),
    ...removed.map((device) => ({ what: 'device_removed' as const, who, device })),
  ]
}
