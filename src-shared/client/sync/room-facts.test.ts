import { describe, expect, it } from 'vitest'
import { memberPowerBody, powerBody, powerLevels } from '../../protocol/index.ts'
import {
  act,
  bringIn,
  createLab,
  foundRoom,
  quickCrypto,
  stateNow,
} from '../../protocol/room/testing/lab.ts'
import { noticesOf } from './room-facts.ts'

/** Alice made the room; Bob is a moderator, Carol a member. */
function scene() {
  const lab = createLab(quickCrypto)
  const alice = lab.person('alice', 'a.example')
  const bob = lab.person('bob', 'b.example')
  const carol = lab.person('carol', 'c.example')
  const room = foundRoom(lab, alice)
  for (const one of [bob, carol]) bringIn(room, alice, one)
  act(room, alice, memberPowerBody(stateNow(room), bob.member, 50))
  return { alice, bob, carol, room }
}

describe('what is told of power', () => {
  it('names who has another role, and who gave it', () => {
    const { alice, bob, carol, room } = scene()
    const told = (level: number) => {
      const before = stateNow(room)
      const event = act(room, alice, memberPowerBody(before, carol.member, level))
      return noticesOf(event, before).map(({ notice }) => notice)
    }
    const by = alice.member
    expect(told(100)).toEqual([{ what: 'role', who: carol.member, by, role: 'admin' }])
    expect(told(50)).toEqual([{ what: 'role', who: carol.member, by, role: 'moderator' }])
    expect(told(49)).toEqual([{ what: 'role', who: carol.member, by, role: 'member' }])
    // Of no consequence for the role.
    expect(told(10)).toEqual([{ what: 'power', by }])
    const before = stateNow(room)
    const event = act(
      room,
      alice,
      powerBody({ ...powerLevels(before), members: { [carol.member]: 50 } }),
    )
    expect(noticesOf(event, before).map(({ notice }) => notice)).toEqual(
      [
        { what: 'role', who: bob.member, by, role: 'member' },
        { what: 'role', who: carol.member, by, role: 'moderator' },
      ].sort((a, b) => (a.who < b.who ? -1 : 1)),
    )
  })
})
