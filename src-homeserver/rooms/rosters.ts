/**
 * The node speaking for its own members (Who can read §6): their manifest head and active devices, as a
 * state event in every room they are in, so that others check signatures from the graph alone.
 */
import {
  activeDevices,
  needsRoster,
  sealRoster,
  toBase64Url,
} from '../../src-shared/protocol/index.ts'
import type { ManifestState } from '../../src-shared/protocol/index.ts'
import type { Context } from '../context.ts'
import { ApiError } from '../http/api-error.ts'
import type { Tx } from '../storage/index.ts'
import type { CurrentRoom } from './room-states.ts'
import { append } from './submit.ts'

/** States the member's roster unless it stands there already; the room as it is then. */
export async function stateRoster(
  context: Context,
  tx: Tx,
  current: CurrentRoom,
  manifest: ManifestState,
): Promise<CurrentRoom> {
  const { fingerprint: member, head, height, userId } = manifest
  if (!needsRoster(current.state, member, height)) return current
  const devices = activeDevices(manifest).map(({ id, ed25519 }) => ({ id, ed25519 }))
  const { header, body } = sealRoster({
    crypto: context.crypto,
    state: current.state,
    node: context.config.serverName,
    member,
    content: { user_id: userId, head, height, devices },
    now: context.now(),
  })
  return (await append(context, tx, current, { header, body: toBase64Url(body) })).current
}

/** After a change of the manifest: in every room where the member is, or is invited. */
export async function stateRosterEverywhere(
  context: Context,
  tx: Tx,
  manifest: ManifestState,
): Promise<void> {
  const rooms = await tx.rooms.ofMember(manifest.fingerprint, ['join', 'invite'])
  for (const { room_id: room } of rooms) {
    const current = await context.roomStates.current(tx, room)
    if (current === undefined) continue
    try {
      await stateRoster(context, tx, current, manifest)
    } catch (error) {
      // Nothing was written. One odd room must not keep a lost device in all the others.
      if (!(error instanceof ApiError)) throw error
      context.log.error({ ...error.details, room, code: error.errcode }, 'roster refused')
    }
  }
}
