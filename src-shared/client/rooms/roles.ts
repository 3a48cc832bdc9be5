/** Roles: names for levels of power (Room state §8). */
import { canSetPower, creation, powerLevels, powerOf } from '../../protocol/index.ts'
import type { RoomState } from '../../protocol/index.ts'
import type { Member, Role } from '../../view-model/index.ts'

const ADMIN = 100
const MODERATOR = 50

export function roleOf(state: RoomState, member: string): Member['role'] {
  if (creation(state)?.creator === member) return 'creator'
  const power = powerOf(state, member)
  return power >= ADMIN ? 'admin' : power >= MODERATOR ? 'moderator' : 'member'
}

export function levelOf(state: RoomState, role: Role): number {
  return { admin: ADMIN, moderator: MODERATOR, member: powerLevels(state).default }[role]
}

/** Those that `by` may give `member`, the present one left out; highest first. */
export function rolesToGive(state: RoomState, by: string, member: string): Role[] {
  const now = roleOf(state, member)
  return (['admin', 'moderator', 'member'] as const).filter(
    (role) => role !== now && canSetPower(state, by, member, levelOf(state, role)),
  )
}
