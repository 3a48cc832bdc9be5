/** What the node does around a membership: speak for its own members, and know whom it is asked to reach. */
import {
  fromBase64Url,
  isJsonObject,
  contentSchemas,
  membershipOf,
  canJoin,
  canKnock,
  parseJson,
  parseUserId,
  EncodingError,
  STATE_TYPES,
} from '../../src-shared/protocol/index.ts'
import type { MemberContent } from '../../src-shared/protocol/index.ts'
import { manifestOf } from '../accounts.ts'
import type { Context } from '../context.ts'
import { mayFederate } from '../federation/admission.ts'
import { ApiError } from '../http/api-error.ts'
import type { Caller } from '../http/call.ts'
import type { Tx } from '../storage/index.ts'
import type { CurrentRoom } from './room-states.ts'
import { stateRoster } from './rosters.ts'
import type { Submitted } from './submit.ts'

/**
 * Before a device's own join, leave or knock: its member's roster must stand in the room, since the
 * signature is checked against it. Does nothing for anyone the room would refuse anyway.
 */
export async function beforeOwnMembership(
  context: Context,
  tx: Tx,
  caller: Caller,
  current: CurrentRoom,
): Promise<CurrentRoom> {
  const { state } = current
  const membership = membershipOf(state, caller.member)
  const welcome =
    membership === 'join' ||
    membership === 'invite' ||
    membership === 'knock' ||
    canJoin(state, caller.member) ||
    canKnock(state, caller.member)
  if (!welcome) return current
  return stateRoster(context, tx, current, await manifestOf(context, tx, caller.member))
}

/**
 * The invited account of this node; null where there is none to speak for. Throws `ApiError` where it does
 * not live as said, or on a server that this one does not speak with.
 */
export async function checkInvited(
  context: Context,
  tx: Tx,
  submitted: Submitted,
): Promise<string | null> {
  const { state_key: member } = submitted.checked.envelope
  const content = memberContent(submitted)
  if (content?.membership !== 'invite' || member === undefined) return null
  const server = parseUserId(content.user_id)?.server ?? ''
  if (!mayFederate(context, server)) throw new ApiError('E_FEDERATION_UNAVAILABLE')
  // Its own node states its roster, once it comes in.
  if (server !== context.config.serverName) return null
  const account = await tx.accounts.byMember(member)
  if (account?.user_id !== content.user_id)
    throw new ApiError('E_UNAUTHORIZED_EVENT', { rule: 'unknown_user' })
  return member
}

export async function afterInvite(
  context: Context,
  tx: Tx,
  current: CurrentRoom,
  invited: string,
): Promise<CurrentRoom> {
  return stateRoster(context, tx, current, await manifestOf(context, tx, invited))
}

/** Null for anything but a well-formed `e.room.member`; what is malformed is refused later. */
function memberContent({ checked }: Submitted): MemberContent | null {
  const { envelope, body } = checked
  if (envelope.type !== STATE_TYPES.member || body === null) return null
  try {
    const json = parseJson(fromBase64Url(body), { maxBytes: 96 * 1024 })
    const parsed = contentSchemas[STATE_TYPES.member].safeParse(isJsonObject(json) ? json : null)
    return parsed.success ? parsed.data : null
  } catch (error) {
    if (error instanceof EncodingError) return null
    throw error
  }
}
