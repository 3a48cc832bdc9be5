/** Wraps beside an event: only for devices that the room's rosters name, one each (Who can read §6). */
import { deviceKeyOf, homeServerOf, isJoined } from '../../src-shared/protocol/index.ts'
import type { RoomEvent, Wrap } from '../../src-shared/protocol/index.ts'
import { limits } from '../config.ts'
import type { Context } from '../context.ts'
import { mayFederate } from '../federation/admission.ts'
import { ApiError } from '../http/api-error.ts'
import type { CurrentRoom } from './room-states.ts'

export function checkWraps(
  context: Context,
  event: RoomEvent,
  { state }: CurrentRoom,
  wraps: readonly Wrap[],
): void {
  if (wraps.length === 0) return
  const bad = (rule: string): ApiError => new ApiError('E_BAD_ENVELOPE', { rule })
  if (event.header.transport === 'clear') throw bad('unexpected_wraps')
  if (wraps.length > limits.pairwise_devices) throw bad('too_many_wraps')
  const devices = new Set(wraps.map(({ member, device }) => `${member}/${device}`))
  if (devices.size !== wraps.length) throw bad('wrap_repeated')
  for (const { member, device } of wraps) {
    if (!isJoined(state, member) || deviceKeyOf(state, member, device) === undefined)
      throw bad('wrap_recipient')
    if (!mayFederate(context, homeServerOf(state, member) ?? ''))
      throw new ApiError('E_FEDERATION_UNAVAILABLE')
  }
}
