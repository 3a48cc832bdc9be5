import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkAuth } from './auth.ts'
import {
  banBody,
  inviteBody,
  joinBody,
  kickBody,
  leaveBody,
  memberPowerBody,
  nameBody,
  topicBody,
} from './builders.ts'
import type { StateBody } from './builders.ts'
import { isState, originTsAfter, readContent } from './event.ts'
import type { RoomEvent } from './event.ts'
import { createRoomGraph, replayOrder } from './resolve.ts'
import {
  applyEvent,
  CREATOR_POWER,
  emptyState,
  membershipOf,
  powerLevels,
  powerOf,
  stateEvent,
  stateEvents,
  stateOf,
} from './state.ts'
import type { RoomState } from './state.ts'
import {
  act,
  advanceManifest,
  copyOf,
  createLab,
  createReplica,
  place,
  quickCrypto,
  receive,
  say,
  sealState,
  setRoster,
  stateNow,
  sync,
} from './testing/lab.ts'
import type { Person, Replica } from './testing/lab.ts'
import { move, newRoom, play } from './testing/histories.ts'

function ids(state: RoomState): string[] {
  return stateEvents(state).map((event) => event.id)
}

function text(state: RoomState, type: 'e.room.name' | 'e.room.topic'): unknown {
  const event = stateEvent(state, type)
  if (event === undefined) return undefined
  return type === 'e.room.name'
    ? readContent(event, 'e.room.name')?.name
    : readContent(event, 'e.room.topic')?.topic
}

/** The chapter's words taken literally: everything from the empty state, recursively, no shortcut. */
function replayEverything(replica: Replica): RoomState {
  const all = [...replica.events.values()]
  const power = (event: RoomEvent): number => {
    const auth = event.pdu.event.auth_events.flatMap((id) => replica.events.get(id) ?? [])
    return auth.length === 0 ? CREATOR_POWER : powerOf(stateOf(auth), event.header.member)
  }
  const ranked = (events: RoomEvent[]): RoomEvent[] =>
    events.toSorted(
      (a, b) =>
        power(b) - power(a) ||
        a.pdu.event.origin_ts - b.pdu.event.origin_ts ||
        (a.id < b.id ? -1 : 1),
    )
  const ancestors = (event: RoomEvent, found = new Set<RoomEvent>()): Set<RoomEvent> => {
    for (const id of event.pdu.event.prev_events) {
      const parent = replica.events.get(id)
      if (parent === undefined || found.has(parent)) continue
      found.add(parent)
      ancestors(parent, found)
    }
    return found
  }
  const order: RoomEvent[] = []
  const place = (events: RoomEvent[]): void => {
    for (const event of ranked(events)) {
      if (order.includes(event)) continue
      place([...ancestors(event)].filter((before) => isState(before) && !order.includes(before)))
      order.push(event)
    }
  }
  place(all.filter(isState))
  return order.reduce(
    (state, event) => (checkAuth(event, state).ok ? applyEvent(state, event) : state),
    emptyState,
  )
}

describe('a line of events', () => {
  it('resolves to what came last, whoever has left since', () => {
    const { room, alice, mod } = newRoom(createLab(quickCrypto))
    act(room, mod, topicBody('by the moderator'))
    act(room, alice, kickBody(stateNow(room), mod.member))
    say(room, alice)
    expect(text(stateNow(room), 'e.room.topic')).toBe('by the moderator')
    expect(ids(replayEverything(room))).toEqual(ids(stateNow(room)))
  })

  it('is replayed in its own order', () => {
    const { room } = newRoom(createLab(quickCrypto))
    const all = [...room.events.values()]
    const source = { getEvent: (id: string) => room.events.get(id) }
    expect(replayOrder(all.toReversed(), source)).toEqual(all.filter(isState))
  })

  it('of many events resolves without deep recursion', () => {
    const { room, alice } = newRoom(createLab(quickCrypto))
    const expected = ids(stateNow(room))
    const events = new Map(room.events)
    const message = say(room, alice)
    const [tip] = room.extremities
    // Two lines of 12,000 messages each that meet again: only ids and parents matter here.
    const lines = ['left', 'right'].map((line) => {
      for (let i = 0, parent = tip ?? ''; i < 12_000; i++) {
        const event = { ...message.pdu.event, prev_events: [parent] }
        parent = `${line} ${i}`
        events.set(parent, { ...message, id: parent, pdu: { ...message.pdu, event } })
      }
      return `${line} 11999`
    })
    events.set(message.id, message)
    const cold = createRoomGraph({ getEvent: (id) => events.get(id) }, 4)
    expect(ids(cold.resolve(lines))).toEqual(expected)
    expect(ids(cold.stateAfter('left 11999'))).toEqual(expected)
  })

  it('that lacks an event is not resolved', () => {
    const { room } = newRoom(createLab(quickCrypto))
    const graph = createRoomGraph({ getEvent: () => undefined })
    expect(() => graph.resolve(room.extremities)).toThrow('room: unknown_event')
  })
})

describe('branches', () => {
  it('do not let a banned moderator act from before its ban', () => {
    const { room, admin, mod, bob } = newRoom(createLab(quickCrypto))
    const before = [...room.extremities]
    // A weak member's event comes between: it must not carry the branch past the ban.
    act(room, bob, leaveBody(bob.member, bob.userId))
    act(room, admin, inviteBody(bob.member, bob.userId))
    act(room, bob, joinBody(bob.member, bob.userId))
    act(room, admin, banBody(stateNow(room), mod.member))
    const kick = backdated(room, mod, kickBody(stateNow(room), bob.member), before)
    backdated(room, mod, nameBody('Mine'), [kick.id])
    const state = stateNow(room)
    expect(membershipOf(state, bob.member)).toBe('join')
    expect(membershipOf(state, mod.member)).toBe('ban')
    expect(text(state, 'e.room.name')).toBe('Test')
    say(room, admin)
    expect(ids(stateNow(room))).toEqual(ids(state))
  })

  it('do not let a demoted moderator win against its demotion', () => {
    const { room, alice, mod, bob } = newRoom(createLab(quickCrypto))
    const before = [...room.extremities]
    act(room, alice, memberPowerBody(stateNow(room), mod.member, 0))
    backdated(room, mod, memberPowerBody(room.graph.resolve(before), bob.member, 50), before)
    expect(powerOf(stateNow(room), mod.member)).toBe(0)
    expect(powerOf(stateNow(room), bob.member)).toBe(0)
  })

  it('with conflicting power changes by equals converge, and keep the creator where it is', () => {
    const lab = createLab(quickCrypto)
    const { room, alice, mod, admin, bob } = newRoom(lab)
    act(room, alice, memberPowerBody(stateNow(room), admin.member, 50))
    const [one, two] = [copyOf(room), copyOf(room)]
    act(one, mod, memberPowerBody(stateNow(one), bob.member, 20))
    act(two, admin, memberPowerBody(stateNow(two), bob.member, 30))
    sync(one, two)
    sync(two, one)
    expect(ids(stateNow(one))).toEqual(ids(stateNow(two)))
    expect([20, 30]).toContain(powerOf(stateNow(one), bob.member))
    expect(powerOf(stateNow(one), alice.member)).toBe(CREATOR_POWER)
  })

  it('agree although each makes the other’s change look forbidden; an end that is left out would keep them apart', () => {
    const { room, alice, mod, admin, bob, carol } = newRoom(createLab(quickCrypto))
    act(room, alice, memberPowerBody(stateNow(room), admin.member, 50))
    const [one, two] = [copyOf(room), copyOf(room)]
    const first = act(one, mod, memberPowerBody(stateNow(one), bob.member, 50))
    const second = act(two, admin, memberPowerBody(stateNow(two), carol.member, 50))
    // Each drops somebody its sender does not outrank.
    expect(checkAuth(second, stateNow(one))).toEqual({ ok: false, code: 'not_outranked' })
    expect(checkAuth(first, stateNow(two))).toEqual({ ok: false, code: 'not_outranked' })
    const apart = [ids(stateNow(one)), ids(stateNow(two))]
    sync(one, two)
    sync(two, one)
    expect(ids(stateNow(one))).toEqual(ids(stateNow(two)))
    expect(stateEvent(stateNow(one), 'e.room.power')?.id).toBe(first.id)
    // What either side would go on with, had it left the other's event out of its ends.
    const alone = [one.graph.resolve([first.id]), two.graph.resolve([second.id])].map(ids)
    expect(alone).toEqual(apart)
    expect(alone[0]).not.toEqual(alone[1])
    const next = say(two, admin)
    expect(next.pdu.event.prev_events).toEqual([first.id, second.id].sort())
  })

  it('let a withdrawn invitation stop the join beside it', () => {
    const { room, alice, carol } = newRoom(createLab(quickCrypto))
    act(room, alice, inviteBody(carol.member, carol.userId))
    setRoster(room, carol)
    const other = copyOf(room)
    act(room, alice, kickBody(stateNow(room), carol.member))
    act(other, carol, joinBody(carol.member, carol.userId))
    say(other, carol)
    sync(room, other)
    expect(membershipOf(stateNow(room), carol.member)).toBe('leave')
  })

  it('keep what both sides did without conflict', () => {
    const { room, alice, mod } = newRoom(createLab(quickCrypto))
    const other = copyOf(room)
    act(room, alice, nameBody('Both'))
    act(other, mod, topicBody('kept'))
    sync(room, other)
    expect(text(stateNow(room), 'e.room.name')).toBe('Both')
    expect(text(stateNow(room), 'e.room.topic')).toBe('kept')
  })

  it('let one roster of a member’s two win, the same everywhere', () => {
    const { room, bob } = newRoom(createLab(quickCrypto))
    const other = copyOf(room)
    const removed = { ...bob }
    advanceManifest(removed)
    setRoster(room, removed, { devices: [] })
    advanceManifest(removed)
    setRoster(other, removed)
    const reverse = copyOf(other)
    sync(reverse, room)
    sync(room, other)
    expect(ids(stateNow(room))).toEqual(ids(stateNow(reverse)))
  })
})

describe('the order of replay', () => {
  it('of events of one power and time is that of their ids', () => {
    const { room, mod } = newRoom(createLab(quickCrypto))
    const at = [...room.extremities]
    const originTs = originTsAfter(room.lab.now + 1000, [])
    const beside = Array.from({ length: 6 }, (_, i) => {
      const sealed = sealState(room.lab, { ...mod }, room.graph.resolve(at), nameBody(`n${i}`))
      const event = place(room, sealed, mod.server, { at, originTs })
      expect(receive(room, event)).toEqual({ ok: true })
      return event
    })
    const source = { getEvent: (id: string) => room.events.get(id) }
    const sorted = beside.map(({ id }) => id).sort()
    expect(replayOrder(beside, source).map(({ id }) => id)).toEqual(sorted)
    expect(replayOrder(beside.toReversed(), source).map(({ id }) => id)).toEqual(sorted)
    expect(stateEvent(stateNow(room), 'e.room.name')?.id).toBe(sorted.at(-1))
  })

  it('is power first, then time, each of them above what follows', () => {
    const { room, alice, admin, mod } = newRoom(createLab(quickCrypto))
    const at = [...room.extremities]
    const late = room.lab.now + 1000
    const beside = (
      [
        [mod, late],
        [admin, late + 2],
        [mod, late + 1],
        [admin, late + 1],
        [alice, late + 3],
      ] as const
    ).map(([person, originTs]) => {
      const sealed = sealState(room.lab, { ...person }, room.graph.resolve(at), topicBody('t'))
      const event = place(room, sealed, person.server, { at, originTs })
      expect(receive(room, event)).toEqual({ ok: true })
      return event
    })
    const source = { getEvent: (id: string) => room.events.get(id) }
    expect(replayOrder(beside, source)).toEqual([4, 3, 1, 0, 2].map((at) => beside[at]))
  })

  it('places by rank what a stronger event rests on', () => {
    const { room, alice, mod } = newRoom(createLab(quickCrypto))
    const at = [...room.extremities]
    const start = room.lab.now + 1000
    // Parents are named by id: the later ones are found among the first.
    const beside = Array.from({ length: 8 }, (_, i) => {
      const sealed = sealState(room.lab, { ...mod }, room.graph.resolve(at), nameBody(`n${i}`))
      const event = place(room, sealed, mod.server, { at, originTs: start + i })
      expect(receive(room, event)).toEqual({ ok: true })
      return event
    })
    room.lab.now = start + beside.length
    const above = act(room, alice, topicBody('of the strongest'))
    expect(above.pdu.event.prev_events).not.toEqual(beside.map(({ id }) => id))
    const source = { getEvent: (id: string) => room.events.get(id) }
    expect(replayOrder([above, ...beside.toReversed()], source)).toEqual([...beside, above])
    expect(stateEvent(stateNow(room), 'e.room.name')).toBe(beside.at(-1))
    expect(ids(replayEverything(room))).toEqual(ids(stateNow(room)))
    expect(replayOrder([], source)).toEqual([])
  })

  it('looks through messages for what a stronger event rests on', () => {
    const { room, alice, mod } = newRoom(createLab(quickCrypto))
    const name = act(room, mod, nameBody('by the moderator'))
    const said = [say(room, alice), say(room, mod)]
    const demotion = act(room, alice, memberPowerBody(stateNow(room), mod.member, 0))
    const source = { getEvent: (id: string) => room.events.get(id) }
    expect(replayOrder([demotion, ...said, name], source)).toEqual([name, demotion])
    expect(replayOrder([...room.events.values()], source)).toEqual(
      [...room.events.values()].filter(isState),
    )
  })

  it('is not made up where an event lacks what gives its sender power', () => {
    const { room, alice } = newRoom(createLab(quickCrypto))
    const name = act(room, alice, nameBody('n'))
    expect(() => replayOrder([name], { getEvent: () => undefined })).toThrow('room: unknown_event')
  })
})

describe('the graph', () => {
  it('knows the state before anything, and that which the first event meets', () => {
    const { room } = newRoom(createLab(quickCrypto))
    expect(room.graph.resolve([])).toBe(emptyState)
    const [create] = room.events.values()
    expect(create === undefined ? null : room.graph.stateBefore(create)).toBe(emptyState)
  })

  it('replays all that a branch off the beginning stands beside, however short the branch', () => {
    const { room, alice } = newRoom(createLab(quickCrypto))
    const [, join] = room.events.values()
    const name = stateEvent(stateNow(room), 'e.room.name')
    for (let i = 0; i < 5; i++) say(room, alice)
    // It is dated before the name of the long line, so it is replayed before it.
    const state = room.graph.resolve([join?.id ?? ''])
    const sealed = sealState(room.lab, { ...alice }, state, nameBody('of the short branch'))
    const originTs = join?.pdu.event.origin_ts ?? 0
    const branch = place(room, sealed, alice.server, { at: [join?.id ?? ''], originTs })
    expect(receive(room, branch)).toEqual({ ok: true })
    for (const ends of [room.extremities, room.extremities.toReversed()]) {
      const cold = createRoomGraph({ getEvent: (id) => room.events.get(id) })
      expect(stateEvent(cold.resolve(ends), 'e.room.name')).toBe(name)
      expect(ids(cold.resolve(ends))).toEqual(ids(replayEverything(room)))
    }
  })

  it('reads nothing before a state that is stored, where the keeper orders the events', () => {
    const { room, alice, mod } = newRoom(createLab(quickCrypto))
    const fork = room.extremities[0] ?? ''
    const stored = stateNow(room)
    const other = copyOf(room)
    act(room, alice, nameBody('one side'))
    say(room, alice)
    act(other, mod, topicBody('the other'))
    sync(room, other)
    const order = new Map([...room.events.keys()].map((id, index) => [id, index]))
    const past = new Set([...room.events.keys()].slice(0, order.get(fork)))
    // Of the past only what auth events name is read, for the power of senders.
    const named = new Set([...room.events.values()].flatMap(({ pdu }) => pdu.event.auth_events))
    const source = {
      getEvent: (id: string) => (past.has(id) && !named.has(id) ? undefined : room.events.get(id)),
      order: (id: string) => order.get(id) ?? -1,
      anchor: (id: string) => (id === fork ? stored : undefined),
    }
    const graph = createRoomGraph(source)
    expect(ids(graph.resolve(room.extremities))).toEqual(ids(stateNow(room)))
    expect(graph.stateAfter(fork)).toBe(stored)
    for (const lacking of [
      { getEvent: source.getEvent, anchor: source.anchor },
      { getEvent: source.getEvent, order: source.order },
    ])
      expect(() => createRoomGraph(lacking).resolve(room.extremities)).toThrow(
        'room: unknown_event',
      )
  })

  it('keeps the states used last, as many as it may', () => {
    const { room, alice } = newRoom(createLab(quickCrypto))
    const [m1, m2] = [say(room, alice), say(room, alice)]
    const beside = say(room, alice, [m1.id])
    let reads = 0
    const graph = createRoomGraph(
      { getEvent: (id) => (reads++, room.events.get(id)), order: () => 0 },
      2,
    )
    const readsFor = (event: RoomEvent): number => {
      reads = 0
      expect(ids(graph.stateAfter(event.id))).toEqual(ids(stateNow(room)))
      return reads
    }
    expect(readsFor(m2)).toBeGreaterThan(2)
    expect([m1, m2, m1].map(readsFor)).toEqual([0, 0, 0])
    // The next takes the place of the one that was used longest ago.
    expect(readsFor(beside)).toBe(1)
    expect([m1, beside].map(readsFor)).toEqual([0, 0])
    expect(readsFor(m2)).toBe(1)
    expect(readsFor(m1)).toBe(0)
    expect(readsFor(beside)).toBe(1)
  })
})

/** On a branch off the past, dated as early as it may be. */
function backdated(
  replica: Replica,
  person: Person,
  body: StateBody,
  at: readonly string[],
): RoomEvent {
  const sealed = sealState(replica.lab, person, replica.graph.resolve(at), body)
  const parents = at.flatMap((id) => replica.events.get(id) ?? [])
  const event = place(replica, sealed, person.server, { at, originTs: originTsAfter(0, parents) })
  expect(receive(replica, event)).toEqual({ ok: true })
  return event
}

/** The same events in another order in which parents come first. */
function shuffled(replica: Replica, choices: readonly number[]): Replica {
  const copy = createReplica(replica.lab)
  const left = [...replica.events.values()]
  for (let turn = 0; left.length > 0; turn++) {
    const ready = left.filter((event) =>
      event.pdu.event.prev_events.every((id) => copy.events.has(id)),
    )
    const next = ready[(choices[turn % choices.length] ?? 0) % ready.length]
    if (next === undefined) throw new Error('not a graph')
    left.splice(left.indexOf(next), 1)
    expect(receive(copy, next)).toEqual({ ok: true })
  }
  return copy
}

describe('any history', () => {
  const begun = newRoom(createLab(quickCrypto))

  it('resolves alike in every order of delivery and as the replay of everything, its creator in place', () => {
    let branched = 0
    const choices = fc.array(fc.nat(1000), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(fc.array(move, { minLength: 5, maxLength: 30 }), choices, (moves, order) => {
        const replica = play(begun, moves)
        if (replica.extremities.length > 1) branched++
        const expected = ids(stateNow(replica))
        expect(ids(stateNow(shuffled(replica, order)))).toEqual(expected)
        expect(ids(replayEverything(replica))).toEqual(expected)
        const cold = createRoomGraph({ getEvent: (id) => replica.events.get(id) }, 1)
        expect(ids(cold.resolve(replica.extremities))).toEqual(expected)
        expectCreatorInPlace(stateNow(replica))
      }),
      { numRuns: 30 },
    )
    // A property over lines alone would prove nothing.
    expect(branched).toBeGreaterThan(8)
  })

  function expectCreatorInPlace(state: RoomState): void {
    const creator = stateEvent(state, 'e.room.create')?.header.member ?? ''
    expect(powerOf(state, creator)).toBe(CREATOR_POWER)
    expect(membershipOf(state, creator)).not.toBe('ban')
    expect(Object.keys(powerLevels(state).members)).not.toContain(creator)
  }
})
