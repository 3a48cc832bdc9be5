import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { joinRulesBody, kickBody, leaveBody, memberPowerBody, powerBody } from './builders.ts'
import { lapsedIn, openState, stateBundle } from './client-check.ts'
import type { OpenedState } from './client-check.ts'
import type { RoomEvent } from './event.ts'
import { reconcile } from './reconcile.ts'
import {
  isJoined,
  joinedMembers,
  joinRuleOf,
  members,
  powerOf,
  roomIdOf,
  sameState,
  stateEvent,
  withoutEvent,
} from './state.ts'
import type { RoomState } from './state.ts'
import { bareRoom, newRoom, play } from './testing/histories.ts'
import type { Cast } from './testing/histories.ts'
import {
  act,
  advanceManifest,
  copyOf,
  createLab,
  quickCrypto,
  setRoster,
  stateNow,
  sync,
} from './testing/lab.ts'
import type { Replica } from './testing/lab.ts'

function bundleOf(room: Replica): RoomEvent[] {
  return stateBundle(stateNow(room), { getEvent: (id) => room.events.get(id) })
}

function opened(
  room: Replica,
  bundle: readonly RoomEvent[],
  lapsed: readonly string[],
): OpenedState {
  const { lab } = room
  const keys = (server: string) => lab.nodePublicKey(server)
  return openState(lab.crypto, roomIdOf(stateNow(room)), bundle, keys, lapsed)
}

const ids = (events: readonly RoomEvent[]): string[] => events.map(({ id }) => id)

/** Alice demotes the moderator, who at the same time set the room's first join rule; Bob's roster rests on that. */
function overruledRule() {
  const { room, alice, mod, bob } = bareRoom(createLab(quickCrypto))
  act(room, alice, powerBody({}))
  act(room, alice, memberPowerBody(stateNow(room), mod.member, 50))
  const other = copyOf(room)
  act(room, alice, memberPowerBody(stateNow(room), mod.member, 0))
  const rule = act(other, mod, joinRulesBody('knock'))
  advanceManifest(bob)
  const roster = setRoster(other, bob)
  const followed = stateNow(other)
  sync(room, other)
  return { room, alice, mod, bob, rule, roster, followed }
}

describe('what is current no more', () => {
  it('is left out, though an event that is current rests on it', () => {
    const { room, bob, rule, roster } = overruledRule()
    const state = stateNow(room)
    const bundle = bundleOf(room)
    expect(stateEvent(state, 'e.room.roster', bob.member)).toBe(roster)
    expect(roster.pdu.event.auth_events).toContain(rule.id)
    expect(lapsedIn(state, bundle)).toEqual([rule.id])
    const { lapsed, doubted, ...told } = opened(room, bundle, [rule.id])
    expect([ids(lapsed), doubted]).toEqual([[rule.id], []])
    expect(sameState(told.state, state)).toBe(true)
    // Where nothing is said of it, it is taken for current.
    expect(joinRuleOf(opened(room, bundle, []).state)).toBe('knock')
  })

  it('is taken back by who knew it as current, even where the bundle tells a part', () => {
    const { room, rule, followed } = overruledRule()
    const told = opened(room, bundleOf(room), [rule.id])
    for (const given of ['all', 'part', 'some'] as const) {
      const merged = reconcile(followed, told.state, given, told.lapsed)
      expect(stateEvent(merged, 'e.room.join_rules')).toBeUndefined()
      expect(sameState(merged, stateNow(room))).toBe(true)
    }
    expect(joinRuleOf(reconcile(followed, told.state, 'some'))).toBe('knock')
  })

  it('may be the power levels: where their maker had left when they were made', () => {
    const { room, alice, admin } = bareRoom(createLab(quickCrypto))
    const other = copyOf(room)
    act(room, alice, leaveBody(alice.member, alice.userId))
    const power = act(other, alice, powerBody({}))
    act(other, admin, leaveBody(admin.member, admin.userId))
    sync(room, other)
    const bundle = bundleOf(room)
    expect(lapsedIn(stateNow(room), bundle)).toEqual([power.id])
    const { state, doubted } = opened(room, bundle, [power.id])
    expect(doubted).toEqual([])
    expect(sameState(state, stateNow(room))).toBe(true)
  })

  it('is nothing where an event of the bundle is refused', () => {
    const { room, rule } = overruledRule()
    const bundle = bundleOf(room).filter(({ header }) => header.room !== '')
    expect(opened(room, bundle, [rule.id])).toMatchObject({ lapsed: [], doubted: [] })
  })
})

describe('a node that says of what is current that it is no more', () => {
  const { room, alice, admin, mod, bob } = newRoom(createLab(quickCrypto))
  // The last levels are the admin's, who could not make them under none.
  act(room, admin, memberPowerBody(stateNow(room), bob.member, 10))
  act(room, alice, kickBody(stateNow(room), mod.member))
  const state = stateNow(room)
  const bundle = bundleOf(room)

  it('is not believed about the power levels, the creation, members or rosters', () => {
    const current = bundle.filter(
      ({ id, header: { type, state_key: key } }) => stateEvent(state, type, key)?.id === id,
    )
    for (const { id, header } of current) {
      const lied = opened(room, bundle, [id])
      // A roster of who is not in the room lists nobody to whom anything is sealed; no join rule is stricter than none.
      const harmless = header.type === 'e.room.roster' && header.member === mod.member
      if (harmless || header.type === 'e.room.join_rules') continue
      expect(sameState(lied.state, state)).toBe(true)
      expect(lied.lapsed).toEqual([])
    }
    const all = opened(room, bundle, ids(bundle))
    expect(all.lapsed.map(({ header }) => [header.type, header.member])).toEqual([
      ['e.room.join_rules', alice.member],
      ['e.room.roster', mod.member],
    ])
    expect(joinRuleOf(all.state)).toBe('invite')
    const power = stateEvent(state, 'e.room.power')
    expect(power?.header.member).toBe(admin.member)
    expect(opened(room, bundle, [power?.id ?? '']).doubted).toEqual([power])
  })

  it('takes no power levels away by not showing any', () => {
    const power = stateEvent(state, 'e.room.power')
    if (power === undefined) throw new Error('no power levels')
    expect(sameState(reconcile(state, withoutEvent(state, power), 'all'), state)).toBe(true)
  })

  it('says nothing with ids of what it did not send', () => {
    const [stranger] = bareRoom(createLab(quickCrypto)).room.events.keys()
    const told = opened(room, bundle, [stranger ?? '', 'none'])
    expect(told).toMatchObject({ lapsed: [], doubted: [], refused: [] })
    expect(sameState(told.state, state)).toBe(true)
  })
})

/** The moderator makes the room public, and Bob's roster rests on that. */
const far = [
  { replica: 1, actor: 2, target: 0, what: 11, level: 0 },
  { replica: 1, actor: 3, target: 0, what: 2, level: 0 },
]

/** Alice takes power from some or puts them out; far from her they set and invite, and others act upon that. */
const apart = fc
  .tuple(
    fc.array(
      fc.record({
        replica: fc.constant(0),
        actor: fc.constant(0),
        target: fc.constantFrom(1, 2),
        what: fc.constantFrom(6, 8),
        level: fc.constant(0),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    fc.array(
      fc.record({
        replica: fc.constantFrom(1, 1, 1, 2),
        actor: fc.nat(5),
        target: fc.nat(5),
        what: fc.constantFrom(1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 11, 11, 12),
        level: fc.constantFrom(0, 1, 2, 10, 50),
      }),
      { minLength: 10, maxLength: 40 },
    ),
  )
  .map(([first, then]) => [...first, ...far, ...then])

/** With power levels, and no join rule yet. */
function ruleless(): Cast {
  const cast = bareRoom(createLab(quickCrypto))
  const { room, alice, admin, mod } = cast
  act(room, alice, powerBody({ events: { 'e.room.power': 50 } }))
  act(room, alice, memberPowerBody(stateNow(room), admin.member, 100))
  act(room, alice, memberPowerBody(stateNow(room), mod.member, 50))
  return cast
}

describe('any history', () => {
  it('is told whole, and no lie about what lapsed makes members or power', () => {
    const begun = ruleless()
    let lapses = 0
    fc.assert(
      fc.property(apart, fc.array(fc.nat(1000), { minLength: 1, maxLength: 5 }), (moves, named) => {
        const room = play(begun, moves)
        const state = stateNow(room)
        const bundle = bundleOf(room)
        const lapsed = lapsedIn(state, bundle)
        lapses += lapsed.length
        const told = opened(room, bundle, lapsed)
        expect(told.refused).toEqual([])
        const left = told.doubted.reduce(withoutEvent, told.state)
        expect(sameState(left, state)).toBe(true)
        const lies = named.flatMap((at) => bundle[at % bundle.length]?.id ?? [])
        expectNoMore(opened(room, bundle, [...lapsed, ...lies]).state, told.state)
      }),
      { numRuns: 30 },
    )

    expect(lapses).toBeGreaterThan(3)
  })
})

function expectNoMore(lied: RoomState, honest: RoomState): void {
  expect(joinedMembers(lied).filter((member) => !isJoined(honest, member))).toEqual([])
  const stronger = members(honest).filter(
    ({ member }) => powerOf(lied, member) > powerOf(honest, member),
  )
  expect(stronger).toEqual([])
}
