/** Rooms as they are shown: summaries for the list, details with members, devices and what one may do. */
import {
  activeDevices,
  canBan,
  canInvite,
  canKick,
  canSend,
  canUnban,
  historyVisibilityOf,
  joinRuleOf,
  members,
  MESSAGE_TYPES,
  powerLevels,
  powerOf,
  STATE_TYPES,
  fromBase64Url,
  CREATOR_POWER,
  toHex,
} from '../../protocol/index.ts'
import type { ManifestDevice, ManifestState, RoomState } from '../../protocol/index.ts'
import type { Member, MemberDevice, RoomDetails, RoomSummary } from '../../view-model/index.ts'
import type { Context } from '../context.ts'
import { displayName } from '../devices/contacts.ts'
import { shownName } from '../devices/shown-name.ts'
import type { Contacts } from '../devices/contacts.ts'
import { roleOf, rolesToGive } from '../rooms/roles.ts'
import type { RoomEntry } from '../rooms/room-records.ts'
import { serverOf } from './item-view.ts'

/** `endedBy`: the name of who has ended it. */
export function summaryView(entry: RoomEntry, endedBy: string | null): RoomSummary | null {
  if (entry.hidden) return null
  const { inviter, peer, ended } = entry
  return {
    id: entry.id,
    kind: entry.kind,
    visibility: entry.visibility,
    membership: entry.membership,
    name: shownName(entry.name) || (nameOf(peer) ?? nameOf(inviter) ?? '…'),
    topic: entry.topic,
    preview: entry.preview,
    lastActivity: entry.lastActivity,
    unread: entry.unread + entry.unseen,
    mentions: entry.mentions,
    memberCount: entry.memberCount,
    peer: peer?.member ?? null,
    inviter:
      inviter === null
        ? null
        : {
            userId: inviter.userId,
            name: nameOf(inviter) ?? '',
            server: serverOf(inviter.userId),
          },
    hasDraft: entry.hasDraft,
    leavingAt: entry.leavingAt,
    ended: ended === null ? null : { how: ended.how, by: endedBy, reason: ended.reason },
    asking: entry.asking,
  }
}

function nameOf(person: { readonly name: string; readonly userId: string } | null): string | null {
  return person === null ? null : displayName(person, person.userId)
}

export async function detailsView(
  ctx: Context,
  contacts: Contacts,
  entry: RoomEntry,
  summary: RoomSummary,
  state: RoomState,
  silentServers: readonly string[],
): Promise<RoomDetails> {
  const { me } = ctx
  const shown: Member[] = []
  for (const { member } of members(state))
    shown.push(await memberView(ctx, contacts, state, member))
  const here = shown.filter(({ membership }) => membership === 'join' || membership === 'invite')
  const can = (type: string, asState: boolean): boolean => canSend(state, me.member, type, asState)
  const nobody = ''
  return {
    id: entry.id,
    summary,
    members: shown.filter(({ membership }) => membership !== 'leave'),
    historyVisibility: historyVisibilityOf(state),
    joinRule: joinRuleOf(state),
    servers: [...new Set(here.map(({ server }) => server))].sort(),
    silentServers: [...silentServers],
    hasBots: here.some(({ bot }) => bot),
    hasBridges: false,
    can: {
      send: can(MESSAGE_TYPES.message, false),
      invite: entry.kind === 'group' && canInvite(state, me.member, nobody),
      rename: entry.kind === 'group' && can(STATE_TYPES.name, true),
      setJoinRule: entry.kind === 'group' && can(STATE_TYPES.joinRules, true),
      redactOthers:
        can(MESSAGE_TYPES.redaction, false) &&
        powerOf(state, me.member) >= powerLevels(state).redact,
    },
  }
}

export async function memberView(
  ctx: Context,
  contacts: Contacts,
  state: RoomState,
  member: string,
): Promise<Member> {
  const { db, me } = ctx
  const stated = members(state).find((known) => known.member === member)
  const userId = stated?.userId ?? ''
  const person = await contacts.person(db, member)
  const manifest = await contacts.manifest(db, member)
  const power = powerOf(state, member)
  // Own devices were let in by comparing codes; having looked at another's list compares nothing.
  const own = manifest !== null && member === me.member
  const compared = own ? activeDevices(manifest).map((device) => device.id) : []
  return {
    id: member,
    userId,
    name: displayName(person, userId),
    server: serverOf(userId),
    membership: stated?.membership ?? 'leave',
    power: power === CREATOR_POWER ? 100 : power,
    role: roleOf(state, member),
    bot: person?.bot ?? false,
    me: member === me.member,
    devices: manifest === null ? [] : devicesView(manifest, compared),
    changed: person !== null && person.changed !== null,
    can: {
      remove: stated?.membership !== 'knock' && canKick(state, me.member, member),
      ban: stated?.membership !== 'ban' && canBan(state, me.member, member),
      unban: canUnban(state, me.member, member),
      letIn: stated?.membership === 'knock' && canInvite(state, me.member, member),
      decline: stated?.membership === 'knock' && canKick(state, me.member, member),
      roles: stated?.membership === 'join' ? rolesToGive(state, me.member, member) : [],
    },
  }
}

export function devicesView(
  manifest: ManifestState,
  verified: readonly string[],
  names: Readonly<Record<string, string>> = {},
): MemberDevice[] {
  return [...manifest.devices.values()].map((device) => ({
    id: device.id,
    name: names[device.id] ?? null,
    addedAtHeight: device.addedAt,
    status: device.status,
    verified: verified.includes(device.id),
    keyDigest: keyDigest(device),
  }))
}

/** The first 80 bits of the signing key in hexadecimal, in groups of four. */
function keyDigest(device: ManifestDevice): string {
  const digits = toHex(fromBase64Url(device.ed25519))
  return (digits.slice(0, 20).match(/.{4}/g) ?? []).join(' ')
}
