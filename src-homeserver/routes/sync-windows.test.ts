import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  inviteBody,
  joinBody,
  kickBody,
  leaveBody,
  membershipOf,
  openState,
  sameState,
  stateEvent,
} from '../../src-shared/protocol/index.ts'
import type { Json, Pdu } from '../../src-shared/protocol/index.ts'
import { decodePdu, fromBase64Url } from '../../src-shared/protocol/index.ts'
import type { Look, SyncResponse } from '../../src-shared/api/index.ts'
import { startNode } from '../testing/start-node.ts'
import type { TestNode } from '../testing/start-node.ts'
import { crypto, fakeWrap, register, signIn, letIn, stateFrom } from '../../conformance/device.ts'
import type { TestDevice } from '../../conformance/device.ts'

let node: TestNode
let count = 0
let alice: TestDevice
let bob: TestDevice
beforeAll(async () => {
  node = await startNode({ syncItems: 60 })
})
afterAll(() => node.stop())
beforeEach(async () => {
  count++
  alice = await register(node, `alice${count}`)
  bob = await register(node, `bob${count}`)
})

const invite = (who: TestDevice) => inviteBody(who.member, who.userId)
const join = (who: TestDevice) => joinBody(who.member, who.userId)
const top = (rooms: number, timeline = 3): Look => ({
  lists: { recent: { ranges: [[0, rooms - 1]], timeline } },
})

async function roomOfTwo(): Promise<string> {
  const room = await alice.createRoom([invite(bob)])
  await bob.setState(room, join(bob))
  return room
}

async function rooms(many: number): Promise<string[]> {
  const made: string[] = []
  for (let index = 0; index < many; index++) made.push(await roomOfTwo())
  return made
}

const look = (
  device: TestDevice,
  through: Look,
  since?: string,
  timeout = 0,
): Promise<SyncResponse> =>
  device.ok('syncWindows', {
    body: { ...through, timeout, ...(since === undefined ? {} : { since }) },
  })

async function someoneWaits(): Promise<boolean> {
  const waiting = await node.context.metrics.registry.getSingleMetric('eccp_sync_waiting')?.get()
  return waiting?.values.some(({ value }) => value > 0) === true
}

/** Looks until nothing more comes: all of what came, and where it ends. */
async function lookOn(device: TestDevice, through: Look, since?: string) {
  const pages: SyncResponse[] = []
  for (let at = since; ; at = pages.at(-1)?.next) {
    const page = await look(device, through, at)
    if (page.next === at || (pages.length > 0 && isQuiet(page))) return { pages, next: page.next }
    pages.push(page)
  }
}

const isQuiet = ({ rooms: told, summaries, to_device: messages }: SyncResponse): boolean =>
  Object.keys(told).length === 0 && summaries === undefined && messages.length === 0

const envelopes = (delta: SyncResponse['rooms'][string] | undefined): string[] =>
  delta?.timeline.map(({ pdu }) => pdu.event.envelope_id) ?? []

const listed = (page: SyncResponse | undefined, name = 'recent'): readonly string[] =>
  page?.lists?.[name]?.ops.flatMap((op) => (op.op === 'range' ? op.rooms : [])) ?? []

/** As a client checks it: every signature and rule. */
function verified(room: string, pdus: readonly Pdu[]) {
  const events = pdus.flatMap((pdu) => {
    const decoded = decodePdu(crypto, pdu as unknown as Json)
    return decoded.ok ? [decoded.event] : []
  })
  const key = fromBase64Url(node.context.keys.published[0]?.ed25519 ?? '')
  return openState(crypto, room, events, () => key)
}

/** As where resolution has taken something back. */
async function tellAnew(room: string, event: string): Promise<void> {
  await node.context.storage.write(async (tx) => {
    const pos = await tx.streams.take('state', event, room, Date.now())
    await tx.rooms.restate(room, pos)
    await tx.streams.tell(pos, [{ member: bob.member }])
  })
}

describe('a window', () => {
  it('shows the latest rooms with a few events and their number, and nothing of the others', async () => {
    const made = await rooms(4)
    for (const room of made) await alice.sayMany(room, 5)
    const first = await look(bob, top(2))
    expect(first.lists?.['recent']?.count).toBe(4)
    expect(listed(first)).toEqual([made[3], made[2]])
    expect(new Set(Object.keys(first.rooms))).toEqual(new Set([made[3], made[2]]))
    for (const delta of Object.values(first.rooms)) {
      expect(delta.timeline).toHaveLength(3)
      expect(delta).toMatchObject({ membership: 'join', limited: true })
      expect(delta.members).toEqual({ joined: 2, invited: 0, whole: true })
    }
    expect(first.summaries).toBeUndefined()
    expect(first.manifests).toEqual([])
  })

  it('goes on with each event once, moves rooms up, and tells others in one line', async () => {
    const [old = '', young = ''] = await rooms(2)
    const { next } = await lookOn(bob, top(1))
    const sent = await alice.sayMany(young, 2)
    await alice.say(old, 'up')
    const page = await look(bob, top(1), next)
    expect(listed(page)).toEqual([old])
    expect(page.lists?.['recent']?.count).toBeUndefined()
    expect(page.rooms[old]).toMatchObject({ limited: true })
    expect(page.summaries?.[young]).toMatchObject({ membership: 'join', unseen: 2, mentions: null })
    expect(page.summaries?.[young]?.latest).toBeGreaterThan(0)
    // What was passed over comes with the room's next sight, which has a gap only where there is one.
    const back = await look(bob, { rooms: { [young]: { timeline: 2 } } }, page.next)
    expect(envelopes(back.rooms[young])).toEqual(sent)
    const more = await alice.say(young, 'and on')
    const on = await look(bob, { rooms: { [young]: { timeline: 2 } } }, back.next)
    expect(envelopes(on.rooms[young])).toEqual([more.envelope_id])
    expect(on.rooms[young]?.state).toBeUndefined()
  })

  it('tells the state anew where events do not lead to it, and of others that there is something', async () => {
    const [far = '', near = ''] = await rooms(2)
    const { next } = await lookOn(bob, top(1))
    const one = await alice.say(near, 'one')
    for (const room of [near, far]) await tellAnew(room, one.event_id)
    const two = await alice.say(near, 'two')
    const first = await look(bob, top(1), next)
    expect([envelopes(first.rooms[near]), first.rooms[near]?.state]).toEqual([
      [one.envelope_id],
      undefined,
    ])
    const second = await look(bob, top(1), first.next)
    const delta = second.rooms[near]
    expect(envelopes(delta)).toEqual([two.envelope_id])
    expect(delta).toMatchObject({ limited: false, prev: null, members: { joined: 2, whole: true } })
    expect(sameState(stateFrom(delta?.state ?? []), await bob.state(near))).toBe(true)
    expect(second.rooms[far]).toBeUndefined()
    expect(second.summaries?.[far]).toMatchObject({ membership: 'join', unseen: 0, latest: null })
  })

  it('is told the same again for the same position', async () => {
    const [room = ''] = await rooms(2)
    const first = await look(bob, top(2))
    expect(await look(bob, top(2), first.next)).toMatchObject({ rooms: {} })
    const { next } = await lookOn(bob, top(2), first.next)
    const sent = await alice.say(room, 'once')
    const lost = await look(bob, top(2), next)
    const again = await look(bob, top(2), next)
    expect(envelopes(again.rooms[room])).toEqual([sent.envelope_id])
    expect(again.rooms).toEqual(lost.rooms)
  })

  it('shows a room again whose first sight did not arrive', async () => {
    const [old = ''] = await rooms(2)
    const { next } = await lookOn(bob, top(1))
    const lost = await look(bob, top(2), next)
    expect(lost.rooms[old]?.state).toBeDefined()
    // Seen by nobody: another window, and what happens in the room must not be taken for known.
    const sent = await alice.say(old, 'meanwhile')
    const again = await look(bob, top(2), next)
    expect(again.rooms[old]?.state).toBeDefined()
    expect(envelopes(again.rooms[old])).toContain(sent.envelope_id)
  })

  it('wakes for news, and waits through what only others are told', async () => {
    const [room = ''] = await rooms(1)
    const { next } = await lookOn(bob, top(5))
    const waiting = look(bob, top(5), next, 30_000)
    const sent = await alice.say(room, 'wake up')
    expect(envelopes((await waiting).rooms[room])).toEqual([sent.envelope_id])
    const idle = await lookOn(bob, top(5), next)
    const quiet = await look(bob, top(5), idle.next, 20)
    expect(quiet.lists).toEqual({ recent: { ops: [{ op: 'unchanged' }] } })
    expect(quiet.rooms).toEqual({})
  })

  it('of another width tells the list anew and shows what it adds', async () => {
    const made = await rooms(3)
    const { next } = await lookOn(bob, top(1))
    const wider = await look(bob, top(3), next)
    expect(listed(wider)).toEqual(made.toReversed())
    expect(new Set(Object.keys(wider.rooms))).toEqual(new Set(made.slice(0, 2)))
    const { next: after } = await lookOn(bob, top(3), wider.next)
    const back = await look(bob, top(1), after)
    expect(listed(back)).toEqual(made.slice(2))
    // Nothing was left out while it was narrow, so nothing is shown again.
    const again = await look(bob, top(3), back.next)
    expect(again.rooms).toEqual({})
  })

  it('knows filters, names those it does not know, and refuses what is too much', async () => {
    const [room = ''] = await rooms(1)
    const invited = await alice.createRoom([invite(bob)])
    const filter = { membership: ['invite' as const], colour: 'blue' }
    const page = await look(bob, {
      lists: {
        invited: { ranges: [[0, 9]], timeline: 0, filter },
        joined: { ranges: [[0, 9]], timeline: 0, filter: { membership: ['join'] } },
      },
    })
    expect(listed(page, 'invited')).toEqual([invited])
    expect(listed(page, 'joined')).toEqual([room])
    expect(page.lists?.['invited']).toMatchObject({ count: 1, ignored: ['colour'] })
    const list = { timeline: 0 }
    const refused: Look[] = [
      { lists: { a: { ...list, ranges: [[0, 200]] } } },
      { lists: { a: { ...list, ranges: [[5, 4]] } } },
      {
        lists: {
          a: {
            ...list,
            ranges: [
              [0, 5],
              [5, 6],
            ],
          },
        },
      },
      { lists: { a: { timeline: 51, ranges: [[0, 1]] } } },
    ]
    for (const body of refused)
      expect((await bob.call('syncWindows', { body })).body.errcode).toBe('M_BAD_JSON')
  })
})

describe('outside of all windows', () => {
  it('invitations and removals are told', async () => {
    const [old = ''] = await rooms(2)
    const { next } = await lookOn(bob, top(1))
    const invited = await alice.createRoom([invite(bob)])
    await alice.setState(old, kickBody(await alice.state(old), bob.member))
    const page = await look(bob, top(1, 1), next)
    expect(page.rooms[invited]).toMatchObject({ membership: 'invite', timeline: [] })
    const state = stateFrom(page.rooms[invited]?.state ?? [])
    expect(membershipOf(state, bob.member)).toBe('invite')
    expect(page.rooms[old]).toMatchObject({ membership: 'leave' })
    await bob.setState(invited, leaveBody(bob.member, bob.userId))
    const declined = await look(bob, top(1, 1), page.next)
    expect(declined.rooms[invited]).toMatchObject({ membership: 'leave' })
  })

  it('messages to the device and manifests are told, once each', async () => {
    const [, room = ''] = await rooms(2)
    const { next } = await lookOn(bob, top(1))
    const second = await signIn(alice)
    await letIn(alice, second)
    const page = await look(bob, { rooms: {} }, next)
    expect(page.manifests.map(({ member }) => member)).toEqual([alice.member])
    expect(Object.keys(page.summaries ?? {})).toContain(room)
    const after = await look(bob, { rooms: {} }, page.next)
    expect(after.manifests).toEqual([])
  })

  it('wraps wait until the event is looked at', async () => {
    const [old = '', young = ''] = await rooms(2)
    const { next } = await lookOn(bob, top(1))
    const wrap = fakeWrap({ member: bob.member, device: bob.id })
    const seen = await alice.say(young, 'seen', [fakeWrap({ member: bob.member, device: bob.id })])
    await alice.sayMany(old, 1)
    const state = await alice.state(old)
    await alice.submit(old, alice.sealMessage(old, state, 'passed over', [wrap]))
    await alice.say(young, 'on top again')
    const passed = await look(bob, top(1, 5), next)
    expect(passed.rooms[old]).toBeUndefined()
    expect(passed.summaries?.[old]?.unseen).toBe(2)
    const { next: later } = await lookOn(bob, top(1, 5), passed.next)
    await look(bob, top(1, 5), later)
    await node.context.acks.flush()
    const wrapsOf = (room: string, id: string) =>
      bob
        .ok('messages', { params: { roomId: room }, query: { before: 'b999999', limit: 20 } })
        .then(({ events }) => events.find(({ pdu }) => pdu.event.envelope_id === id)?.wrap)
    expect(await wrapsOf(young, seen.envelope_id)).toBeUndefined()
    const shown = await look(bob, { rooms: { [old]: { timeline: 1 } } }, later)
    expect(shown.rooms[old]?.timeline[0]?.wrap).toEqual(wrap)
  })
})

describe('members of a large room', () => {
  it('come as far as they speak, later speakers with their first event', async () => {
    const room = await roomOfTwo()
    const others: TestDevice[] = []
    for (let index = 0; index < 33; index++) {
      const other = await register(node, `m${count}-${index}`)
      others.push(other)
      await alice.setState(room, invite(other))
    }
    const [carol, dora] = others
    if (carol === undefined || dora === undefined) throw new Error('nobody')
    for (const other of [carol, dora]) await other.setState(room, join(other))
    await alice.sayMany(room, 3)
    const page = await look(bob, top(1, 2))
    const delta = page.rooms[room]
    expect(delta?.members).toEqual({ joined: 4, invited: 31, whole: false })
    const { state, refused } = verified(room, delta?.state ?? [])
    expect(refused).toEqual([])
    expect(membershipOf(state, bob.member)).toBe('join')
    expect(stateEvent(state, 'e.room.roster', alice.member)).toBeDefined()
    expect(membershipOf(state, carol.member)).toBeUndefined()

    const { next } = await lookOn(bob, top(1, 2), page.next)
    await carol.sayMany(room, 2)
    const spoke = await look(bob, top(1, 2), next)
    const introduced = verified(room, spoke.rooms[room]?.senders ?? [])
    expect(introduced.refused).toEqual([])
    expect(membershipOf(introduced.state, carol.member)).toBe('join')
    expect(membershipOf(introduced.state, dora.member)).toBeUndefined()
    await carol.say(room, 'known by now')
    const known = await look(bob, top(1, 2), spoke.next)
    expect(known.rooms[room]?.timeline).toHaveLength(1)
    expect(known.rooms[room]?.senders).toBeUndefined()
    const whole = await bob.ok('state', { params: { roomId: room } })
    expect(verified(room, whole.events).refused).toEqual([])
    expect(sameState(verified(room, whole.events).state, await alice.state(room))).toBe(true)
  })
})

describe('history', () => {
  it('goes both ways from a place, to where the room begins and to where it ends', async () => {
    const room = await roomOfTwo()
    const sent = await alice.sayMany(room, 7)
    const delta = (await look(bob, top(1, 3))).rooms[room]
    expect(envelopes(delta)).toEqual(sent.slice(4))
    const read = (query: { before?: string; after?: string; limit?: number }) =>
      bob.ok('messages', { params: { roomId: room }, query })
    const ids = (events: readonly { pdu: Pdu }[]) => events.map(({ pdu }) => pdu.event.envelope_id)
    const back = await read({ before: delta?.prev ?? '', limit: 2 })
    expect(ids(back.events)).toEqual([sent[3], sent[2]])
    const forth = await read({ after: back.prev ?? '', limit: 3 })
    expect(ids(forth.events)).toEqual(sent.slice(2, 5))
    expect(forth.prev).toBe(back.prev)
    const rest = await read({ after: forth.next ?? '', limit: 50 })
    expect(ids(rest.events)).toEqual(sent.slice(5))
    expect(rest.next).toBeNull()
    const all: string[] = []
    for (let at: string | null = 'b0'; at !== null;) {
      const page: Awaited<ReturnType<typeof read>> = await read({ after: at, limit: 4 })
      if (all.length === 0) expect(page.prev).toBeNull()
      all.push(...ids(page.events))
      at = page.next ?? null
    }
    expect(new Set(all).size).toBe(all.length)
    expect(all.slice(-7)).toEqual(sent)
    for (const query of [{}, { before: 'b1', after: 'b1' }, { after: 'x' }])
      expect((await bob.call('messages', { params: { roomId: room }, query })).body.errcode).toBe(
        'M_INVALID_PARAM',
      )
  })
})

describe('positions', () => {
  it('are taken by windows and long poll alike: rooms come anew, messages to the device do not', async () => {
    const made = await rooms(2)
    const { next } = await lookOn(bob, top(1))
    await alice.sayMany(made[0] ?? '', 1)
    const polled = await bob.sync(next)
    expect(new Set(Object.keys(polled.rooms))).toEqual(new Set(made))
    expect(polled.to_device).toEqual([])
    let at = polled.next
    for (let page = await bob.sync(at); page.next !== at; page = await bob.sync(at)) at = page.next
    const sent = await alice.say(made[1] ?? '', 'x')
    const through = await look(bob, top(2), at)
    expect(envelopes(through.rooms[made[1] ?? ''])).toContain(sent.envelope_id)
  })

  it('of the future, of another node or made up are refused', async () => {
    const { next } = await look(bob, top(1))
    const [id] = next.split('.')
    for (const since of [
      `${id}.w.999999.nAAAAAAAA`,
      `${id}.w.1.x`,
      `${id}.v.1`,
      'x.w.1.nAAAAAAAA',
    ]) {
      const { status, body } = await bob.call('syncWindows', { body: { ...top(1), since } })
      expect([since, status, body.errcode]).toEqual([since, 409, 'E_SYNC_RESET'])
    }
  })

  it('one sync at a time: the later goes on', async () => {
    await rooms(1)
    const { next } = await lookOn(bob, top(1))
    const first = bob.call('syncWindows', { body: { ...top(1), since: next, timeout: 30_000 } })
    while (!(await someoneWaits())) await new Promise((resolve) => setTimeout(resolve, 10))
    const second = bob.call('syncWindows', { body: { ...top(1), since: next, timeout: 30_000 } })
    // Overtaken, it does not wait on.
    expect((await first).body.rooms).toEqual({})
    const [room = ''] = listed(await look(alice, top(1)))
    await alice.say(room, 'x')
    expect(Object.keys((await second).body.rooms)).toEqual([room])
  })
})

it('a pending device sees no rooms, and starts when it is let in', async () => {
  const [room = ''] = await rooms(1)
  const second = await signIn(bob)
  const pending = await look(second, top(1))
  expect([pending.rooms, pending.account.scope]).toEqual([{}, 'pending'])
  await letIn(bob, second)
  const page = await look(second, top(1), pending.next)
  expect(page.account.scope).toBe('full')
  expect(Object.keys(page.rooms)).toEqual([room])
})
