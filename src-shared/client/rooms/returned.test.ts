import { describe, expect, it } from 'vitest'
import {
  applyEvent,
  kickBody,
  leaveBody,
  memberPowerBody,
  membershipOf,
  reconcile,
  stateEvent,
} from '../../protocol/index.ts'
import {
  act,
  advanceManifest,
  bringIn,
  createLab,
  foundRoom,
  quickCrypto,
  stateNow,
} from '../../protocol/room/testing/lab.ts'
import { returnedBetween } from './returned.ts'

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

describe('who is in a room again', () => {
  it('is found where the node says that a removal never held', () => {
    const { alice, bob, carol, room } = scene()
    const was = stateEvent(stateNow(room), 'e.room.member', carol.member)
    act(room, bob, kickBody(stateNow(room), carol.member))
    act(room, alice, memberPowerBody(stateNow(room), bob.member, 0))
    const known = stateNow(room)
    if (was === undefined) throw new Error('Carol was never there')
    // Who removed her has no power any more: from here it can't be told from what resolution does.
    const merged = reconcile(known, applyEvent(known, was), 'all')
    expect(membershipOf(merged, carol.member)).toBe('join')
    expect(returnedBetween(known, merged)).toEqual([carol.member])
  })

  it('is nobody who comes back by an invitation, or had left', () => {
    const { alice, bob, carol, room } = scene()
    act(room, bob, kickBody(stateNow(room), carol.member))
    act(room, bob, leaveBody(bob.member, bob.userId))
    const known = stateNow(room)
    for (const one of [bob, carol]) {
      advanceManifest(one)
      bringIn(room, alice, one)
    }
    expect(returnedBetween(known, stateNow(room))).toEqual([])
  })
})
