/** One item of another server's transaction, by its kind; each is judged alone. */
import {
  canSend,
  checkAgainstAuthEvents,
  deviceKeyOf,
  fromBase64Url,
  homeServerOf,
  isJsonObject,
  isJoined,
  MESSAGE_TYPES,
  openState,
  parseUserId,
  readContent,
  STATE_TYPES,
  verifyEventSignature,
  verifyReceipt,
} from '../../src-shared/protocol/index.ts'
import type { Json, JsonObject, RoomEvent } from '../../src-shared/protocol/index.ts'
import { itemSchema } from '../../src-shared/api/index.ts'
import type { ServerItem } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import { takeEvent } from './intake.ts'
import { later, refused, taken } from './judge.ts'
import type { Verdict } from './judge.ts'
import { PeerError } from './peer-calls.ts'
import { learnKeys } from './vouching.ts'

const MAX_WAITING = 10_000
const MAX_INVITES = 500

type Item<K extends ServerItem['kind']> = Extract<ServerItem, { kind: K }>

/** Refusals for want of something that may only be lost. */
const OF_LOSS: ReadonlySet<string> = new Set([
  'unknown_room',
  'unknown_event',
  'unknown_user',
  'no_device',
  'not_invited',
  'nobody_asked',
])

/** `raw` as it came off the wire. */
export async function takeItem(context: Context, from: string, raw: JsonObject): Promise<Verdict> {
  const verdict = await take(context, from, raw)
  const lost = verdict.outcome === 'refused' && OF_LOSS.has(verdict.code ?? '')
  return lost && context.comeback.underWay ? later('restoring') : verdict
}

async function take(context: Context, from: string, raw: JsonObject): Promise<Verdict> {
  const parsed = itemSchema.safeParse(raw)
  if (!parsed.success) return refused('bad_item')
  const item = parsed.data
  switch (item.kind) {
    case 'event':
      return takeRoomEvent(context, from, raw)
    case 'invite':
      return takeInvite(context, from, item, raw)
    case 'receipt':
      return takeReceipt(context, from, item, raw)
    case 'to_device':
      return takeToDevice(context, from, item, raw)
    case 'manifest':
      return takeManifest(context, from, item)
    case 'profile':
      return takeProfile(context, from, item)
    case 'typing':
      return takeTyping(context, from, item)
  }
}

async function takeRoomEvent(context: Context, from: string, raw: JsonObject): Promise<Verdict> {
  const verdict = await takeEvent(context, from, raw['pdu'] ?? null, list(raw['wraps']))
  const decoded =
    verdict.outcome === 'taken' ? context.guards.decode(context.crypto, raw['pdu'] ?? null) : null
  const roster = decoded?.ok === true ? readContent(decoded.event, STATE_TYPES.roster) : null
  if (roster !== null && parseUserId(roster.user_id)?.server === from)
    context.remote.meet(roster.user_id)
  return verdict
}

/**
 * A membership of somebody here in a room that nobody here is in: held against the state that came with it,
 * which says no more than that someone with the power for it has said so.
 */
async function takeInvite(
  context: Context,
  from: string,
  { lapsed = [] }: Item<'invite'>,
  raw: JsonObject,
): Promise<Verdict> {
  const { crypto, config, guards } = context
  const decoded = guards.decode(crypto, raw['pdu'] ?? null)
  if (!decoded.ok) return refused(decoded.code)
  const { event } = decoded
  const room = event.roomId
  const content = readContent(event, STATE_TYPES.member)
  const member = event.header.state_key
  const named = content === null ? null : parseUserId(content.user_id)
  if (content === null || member === undefined || named?.server !== config.serverName)
    return refused('not_ours')
  if (!guards.holds('invite_origin', event.pdu.event.origin === from))
    return refused('wrong_origin')
  const resident = await context.storage.read((tx) => tx.rooms.localMembers(room, ['join']))
  if (resident.length > 0) return takeEvent(context, from, raw['pdu'] ?? null, [])

  const state = list(raw['state']).flatMap((json): RoomEvent[] => {
    const one = guards.decode(crypto, json)
    return one.ok ? [one.event] : []
  })
  const keys = new Map<string, Uint8Array>()
  try {
    await learnKeys(context, [event, ...state], { room, from })
    for (const { pdu } of [event, ...state]) {
      const { origin } = pdu.event
      const found = await context.serverKeys.find(origin, pdu.event_sig.key_id)
      if (found !== null) keys.set(`${origin} ${pdu.event_sig.key_id}`, found.key)
    }
  } catch (error) {
    if (error instanceof PeerError) return later('unknown_origin_key')
    throw error
  }
  const keyOf = (server: string, keyId: string): Uint8Array | undefined =>
    keys.get(`${server} ${keyId}`)
  const { refused: bad } = openState(crypto, room, state, keyOf)
  const good = state.filter((one) =>
    guards.holds('invite_state', !bad.some((refusal) => refusal.event.id === one.id)),
  )
  const auth = good.filter(({ id }) => event.pdu.event.auth_events.includes(id))
  const key = keyOf(event.pdu.event.origin, event.pdu.event_sig.key_id)
  if (key === undefined || !verifyEventSignature(crypto, event.pdu, key))
    return refused('bad_event_signature')
  const checked = checkAgainstAuthEvents(
    crypto,
    event,
    auth.sort((a, b) => (a.id < b.id ? -1 : 1)),
  )
  if (!checked.ok && !guards.holds('invite_auth', false)) return refused(checked.code)

  return context.storage.write(async (tx) => {
    const account = await tx.accounts.byMember(member)
    if (account?.user_id !== content.user_id) return refused('unknown_user')
    if (!(await tx.federation.takeItem(from, event.id, context.now()))) return taken
    const before = await tx.rooms.membership(room, member)
    const { membership } = content
    if (membership !== 'invite' && before === undefined) return refused('not_invited')
    if (membership === 'invite' && (await tx.federation.invitesWaiting(member)) >= MAX_INVITES)
      return refused('too_many_invitations')
    const pos = await tx.streams.append('invite', room, room, [{ member }], context.now())
    await tx.rooms.setMembership({
      room_id: room,
      member,
      membership,
      user_id: content.user_id,
      local: 1,
      server: config.serverName,
      event_id: event.id,
      pos,
    })
    const pdus = [...good.map(({ pdu }) => pdu), event.pdu]
    const shown = new Set(good.map(({ id }) => id))
    if (membership === 'invite')
      await tx.federation.putInvite({
        room_id: room,
        member,
        pos,
        server: from,
        state: JSON.stringify(pdus),
        lapsed: JSON.stringify(lapsed.filter((id) => shown.has(id))),
      })
    else await tx.federation.dropInvite(room, member)
    return taken
  })
}

async function takeReceipt(
  context: Context,
  from: string,
  { receipt }: Item<'receipt'>,
  raw: JsonObject,
): Promise<Verdict> {
  const { room, envelope, kind, member, device } = receipt
  return context.storage.write(async (tx) => {
    const current = await context.roomStates.current(tx, room)
    if (current === undefined) return refused('unknown_room')
    const { state } = current
    const theirs = homeServerOf(state, member) === from && isJoined(state, member)
    if (!context.guards.holds('receipt_origin', theirs)) return refused('wrong_origin')
    const key = deviceKeyOf(state, member, device)
    const signed = key !== undefined && verifyReceipt(context.crypto, receipt, fromBase64Url(key))
    if (!context.guards.holds('receipt_signature', signed)) return refused('bad_receipt')
    if ((await tx.events.byEnvelope(room, envelope)) === undefined) return refused('unknown_event')
    const row = { room_id: room, envelope_id: envelope, kind, member, device }
    if (await tx.receipts.has(row)) return taken
    const audience = (await tx.rooms.localMembers(room, ['join'])).map((one) => ({ member: one }))
    const pos = await tx.streams.append('receipt', envelope, room, audience, context.now())
    await tx.receipts.put({ ...row, pos, receipt: JSON.stringify(raw['receipt']) })
    return taken
  })
}

async function takeToDevice(
  context: Context,
  from: string,
  { id, user_id: userId, message }: Item<'to_device'>,
  raw: JsonObject,
): Promise<Verdict> {
  if (!context.guards.holds('to_device_origin', parseUserId(userId)?.server === from))
    return refused('wrong_origin')
  const { sender, recipient } = message
  const { member, device } = recipient
  return context.storage.write(async (tx) => {
    const known = await tx.federation.account(sender.member)
    // A fingerprint that is known to live elsewhere does not write from here.
    const elsewhere = known !== undefined && known.user_id !== userId
    const here = (await tx.accounts.byMember(sender.member)) !== undefined
    if (!context.guards.holds('to_device_sender', !elsewhere && !here))
      return refused('wrong_sender')
    const row = await tx.devices.get(member, device)
    if (row?.status !== 'active') return refused('no_device')
    if (!(await tx.federation.takeItem(from, id, context.now()))) return taken
    if ((await tx.toDevice.waiting(member, device)) >= MAX_WAITING) return refused('full')
    const audience = [{ member, device }]
    const pos = await tx.streams.append('to_device', id, null, audience, context.now())
    await tx.toDevice.put({
      member,
      device,
      pos,
      id,
      sender_member: sender.member,
      sender_user: userId,
      message: JSON.stringify(raw['message']),
    })
    return taken
  })
}

async function takeManifest(
  context: Context,
  from: string,
  { user_id: userId, member, height }: Item<'manifest'>,
): Promise<Verdict> {
  if (!context.guards.holds('manifest_origin', parseUserId(userId)?.server === from))
    return refused('wrong_origin')
  const { known, peers } = await context.storage.read(async (tx) => ({
    known: await tx.federation.account(member),
    peers: await tx.rooms.localPeers(member),
  }))
  if (peers.length === 0) return refused('nobody_asked')
  if (known === undefined || known.height < height) context.remote.meet(userId)
  return taken
}

async function takeProfile(
  context: Context,
  from: string,
  { user_id: userId, member, display_name: name }: Item<'profile'>,
): Promise<Verdict> {
  if (!context.guards.holds('profile_origin', parseUserId(userId)?.server === from))
    return refused('wrong_origin')
  return context.storage.write(async (tx) => {
    const known = await tx.federation.account(member)
    if (known?.user_id !== userId) return refused('nobody_asked')
    await tx.federation.putAccount({ ...known, display_name: name })
    const audience = (await tx.rooms.localPeers(member)).map((one) => ({ member: one }))
    if (audience.length > 0)
      await tx.streams.append('profile', member, null, audience, context.now())
    return taken
  })
}

async function takeTyping(
  context: Context,
  from: string,
  { room, member, timeout }: Item<'typing'>,
): Promise<Verdict> {
  if (!context.typingQuota.take(`${from} ${member}`, context.now())) return refused('too_many')
  const verdict = await context.storage.read(async (tx) => {
    const [current, known] = [await context.roomStates.current(tx, room), await tx.rooms.get(room)]
    if (current === undefined || known?.visibility === 'shadow') return refused('unknown_room')
    const { state } = current
    const may = canSend(state, member, MESSAGE_TYPES.message)
    const theirs = may && homeServerOf(state, member) === from
    return context.guards.holds('typing_origin', theirs) ? taken : refused('wrong_origin')
  })
  if (verdict.outcome === 'taken') context.sayTyping(room, member, timeout)
  return verdict
}

function list(json: Json | undefined): Json[] {
  return Array.isArray(json) ? (json as Json[]).filter((one) => isJsonObject(one)) : []
}
