import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  historyVisibilityBody,
  inviteBody,
  joinBody,
  kickBody,
  leaveBody,
  makeReceipt,
  membershipOf,
  nameBody,
  sameState,
  stateEvent,
} from '../../src-shared/protocol/index.ts'
import type { ToDeviceEnvelope } from '../../src-shared/protocol/index.ts'
import type { SyncResponse } from '../../src-shared/api/index.ts'
import { startNode } from '../testing/start-node.ts'
import type { TestNode } from '../testing/start-node.ts'
import {
  call,
  crypto,
  fakeWrap,
  letIn,
  newTxn,
  register,
  removeDevice,
  signIn,
  stateFrom,
} from '../../conformance/device.ts'
import type { TestDevice } from '../../conformance/device.ts'

let node: TestNode
let count = 0
let alice: TestDevice
let bob: TestDevice
beforeAll(async () => {
  node = await startNode({ syncItems: 10 })
})
afterAll(() => node.stop())
beforeEach(async () => {
  count++
  alice = await register(node, `alice${count}`)
  bob = await register(node, `bob${count}`)
})

const invite = (who: TestDevice) => inviteBody(who.member, who.userId)
const join = (who: TestDevice) => joinBody(who.member, who.userId)

async function roomOfTwo(options?: Parameters<TestDevice['createRoom']>[1]): Promise<string> {
  const room = await alice.createRoom([invite(bob)], options)
  await bob.setState(room, join(bob))
  return room
}

const types = (delta: SyncResponse['rooms'][string] | undefined): string[] | undefined =>
  delta?.timeline.map(({ pdu }) => pdu.envelope.type)

const envelopes = (delta: SyncResponse['rooms'][string] | undefined): string[] =>
  delta?.timeline.map(({ pdu }) => pdu.event.envelope_id) ?? []

/** Where a device stands that has seen everything. */
async function caughtUp(device: TestDevice): Promise<string> {
  const first = await device.sync()
  return (await drain(device, first.next)).at(-1)?.next ?? first.next
}

/** Everything until there is no more. */
async function drain(device: TestDevice, since: string): Promise<SyncResponse[]> {
  const pages: SyncResponse[] = []
  for (let at = since; ;) {
    const page = await device.sync(at)
    if (page.next === at) return pages
    pages.push(page)
    at = page.next
  }
}

describe('catching up', () => {
  it('gives each event once, in order, and the same again for the same position', async () => {
    const room = await roomOfTwo()
    const next = await caughtUp(bob)
    const sent = await alice.sayMany(room, 25)
    // Before it asks for what follows: with that it says that it has stored the first.
    const first = await bob.sync(next)
    const pages = await drain(bob, next)
    expect(pages.length).toBeGreaterThan(2)
    expect(pages.flatMap((page) => envelopes(page.rooms[room]))).toEqual(sent)
    for (const page of pages) expect(page.rooms[room]?.state).toBeUndefined()
    expect(pages[0]).toEqual(first)
  })

  it('wakes a waiting device when something happens, and lets it go when nothing does', async () => {
    const room = await roomOfTwo()
    const next = await caughtUp(bob)
    const waiting = bob.sync(next, 30_000)
    const start = performance.now()
    await alice.say(room, 'wake up')
    expect(types((await waiting).rooms[room])).toEqual(['e.message'])
    expect(performance.now() - start).toBeLessThan(10_000)
    const idle = await bob.sync((await bob.sync()).next, 50)
    expect(idle.rooms).toEqual({})
  })

  it('is not woken by what others do among themselves', async () => {
    const room = await alice.createRoom()
    const next = await caughtUp(bob)
    const waiting = bob.sync(next, 300)
    await alice.say(room, 'to myself')
    const answer = await waiting
    expect(answer.rooms).toEqual({})
    expect(answer.manifests).toEqual([])
  })

  it('stops waiting when the caller hangs up', async () => {
    const next = await caughtUp(bob)
    const hangUp = new AbortController()
    const query = { since: next, timeout: 30_000 }
    const gone = call(node.url, 'sync', { token: bob.token, query, signal: hangUp.signal })
    await new Promise((resolve) => setTimeout(resolve, 50))
    hangUp.abort()
    await expect(gone).rejects.toThrow()
    expect((await call(node.url, 'health')).status).toBe(200)
  })

  it('refuses positions of another node, from the future, or made up', async () => {
    const next = await caughtUp(bob)
    const [id, , pos] = next.split('.')
    const other = await startNode()
    const foreign = (await (await register(other, 'x')).sync()).next
    await other.stop()
    const bad = [
      foreign,
      `${id}.s.${Number(pos) + 1000}`,
      'nonsense',
      `${id}.x.1`,
      `${id}.s.-1`,
      '',
    ]
    for (const since of bad) {
      const { status, body } = await bob.call('sync', { query: { since } })
      expect([since, status, body.errcode]).toEqual([since, 409, 'E_SYNC_RESET'])
    }
  })

  it('does not take a position from the future for an acknowledgement', async () => {
    const room = await roomOfTwo()
    const next = await caughtUp(bob)
    await alice.say(room, 'x', [fakeWrap({ member: bob.member, device: bob.id })])
    const [id] = next.split('.')
    await bob.call('sync', { query: { since: `${id}.s.99999999` } })
    await node.context.acks.flush()
    expect((await bob.sync(next)).rooms[room]?.timeline[0]?.wrap).toBeDefined()
  })

  it('asks a device to start anew whose position all its account’s devices have passed', async () => {
    const room = await roomOfTwo()
    const old = await caughtUp(bob)
    await alice.sayMany(room, 3)
    for (const page of await drain(bob, old)) await bob.sync(page.next)
    await node.context.acks.flush()
    const answer = await bob.call('sync', { query: { since: old } })
    expect(answer.body.errcode).toBe('E_SYNC_RESET')
    expect(types((await bob.sync()).rooms[room])).toContain('e.message')
  })
})

describe('rooms', () => {
  it('show an invitation with what is needed to check it and to join', async () => {
    const next = await caughtUp(bob)
    const room = await alice.createRoom([nameBody('Plans'), invite(bob)])
    const delta = (await bob.sync(next)).rooms[room]
    expect(delta).toMatchObject({ membership: 'invite', timeline: [], limited: false, prev: null })
    const state = stateFrom(delta?.state ?? [])
    expect(membershipOf(state, bob.member)).toBe('invite')
    for (const type of ['e.room.create', 'e.room.power', 'e.room.name'])
      expect(stateEvent(state, type)).toBeDefined()
    for (const member of [alice.member, bob.member])
      expect(stateEvent(state, 'e.room.roster', member)).toBeDefined()
    expect((await bob.submit(room, bob.sealState(room, state, join(bob)))).status).toBe(200)
  })

  it('show whole state to one who joins, from before the join on', async () => {
    const room = await alice.createRoom([invite(bob)])
    await alice.say(room, 'before')
    const next = await caughtUp(bob)
    await bob.setState(room, join(bob))
    await alice.say(room, 'after')
    const page = await bob.sync(next)
    const delta = page.rooms[room]
    expect(delta?.membership).toBe('join')
    expect(types(delta)).toEqual(['e.room.member', 'e.message'])
    expect(delta?.limited).toBe(true)
    const state = stateFrom([
      ...(delta?.state ?? []),
      ...(delta?.timeline ?? []).map(({ pdu }) => pdu),
    ])
    expect(sameState(state, await bob.state(room))).toBe(true)
    const names = page.profiles.map(({ user_id }) => user_id)
    expect(new Set(names)).toEqual(new Set([alice.userId, bob.userId]))
  })

  it('end for one who was removed, and for one who left, and go on after coming back', async () => {
    const room = await roomOfTwo()
    const next = await caughtUp(bob)
    await alice.setState(room, kickBody(await alice.state(room), bob.member))
    await alice.say(room, 'now we are alone')
    const removed = await bob.sync(next)
    expect(removed.rooms[room]?.membership).toBe('leave')
    expect(types(removed.rooms[room])).toEqual(['e.room.member'])
    await alice.setState(room, invite(bob))
    await bob.setState(room, join(bob))
    await alice.say(room, 'welcome back')
    const back = (await bob.sync(removed.next)).rooms[room]
    expect(types(back)).toEqual(['e.room.member', 'e.message'])
    expect(membershipOf(stateFrom(back?.state ?? []), bob.member)).toBe('invite')
  })

  it('tell the inviter of a declined invitation, and the invited of one taken back', async () => {
    const room = await alice.createRoom([invite(bob)])
    const aliceNext = await caughtUp(alice)
    await bob.setState(room, leaveBody(bob.member, bob.userId))
    expect(types((await alice.sync(aliceNext)).rooms[room])).toEqual(['e.room.member'])
    await alice.setState(room, invite(bob))
    const next = await caughtUp(bob)
    await alice.setState(room, kickBody(await alice.state(room), bob.member))
    expect((await bob.sync(next)).rooms[room]?.membership).toBe('leave')
  })
})

describe('the maker of a room', () => {
  it.each(['shared', 'joined'] as const)(
    'sees it from its first event, live and when starting anew (%s)',
    async (history) => {
      const next = await caughtUp(alice)
      const room = await alice.createRoom([], { history })
      for (const page of [await alice.sync(next), await alice.sync()]) {
        const delta = page.rooms[room]
        expect(delta).toMatchObject({ membership: 'join', state: [], limited: false, prev: null })
        expect(types(delta)?.slice(0, 3)).toEqual([
          'e.room.create',
          'e.room.roster',
          'e.room.member',
        ])
      }
    },
  )
})

/** As where resolution has taken something back. */
async function tellAnew(room: string, event: string): Promise<void> {
  await node.context.storage.write(async (tx) => {
    const pos = await tx.streams.take('state', event, room, Date.now())
    await tx.rooms.restate(room, pos)
    await tx.streams.tell(pos, [{ member: bob.member }])
  })
}

describe('a state that events in their order do not lead to', () => {
  it('is told between them, and where one starts the events begin after it', async () => {
    const room = await roomOfTwo()
    const next = await caughtUp(bob)
    const one = await alice.say(room, 'one')
    await tellAnew(room, one.event_id)
    const two = await alice.say(room, 'two')
    const first = (await bob.sync(next)).rooms[room]
    expect([envelopes(first), first?.state]).toEqual([[one.envelope_id], undefined])
    const second = (await bob.sync((await bob.sync(next)).next)).rooms[room]
    expect(envelopes(second)).toEqual([two.envelope_id])
    expect(second).toMatchObject({ membership: 'join', limited: false, prev: null })
    expect(sameState(stateFrom(second?.state ?? []), await bob.state(room))).toBe(true)
    const anew = (await bob.sync()).rooms[room]
    expect([envelopes(anew), anew?.limited]).toEqual([[two.envelope_id], true])
    const { events } = await bob.ok('messages', {
      params: { roomId: room },
      query: { before: anew?.prev ?? '', limit: 1 },
    })
    expect(events[0]?.pdu.event.envelope_id).toBe(one.envelope_id)
  })
})

describe('starting from nothing', () => {
  it('gives every room its state and latest events, in pages, and then what came after', async () => {
    const rooms: string[] = []
    for (let index = 0; index < 4; index++) rooms.push(await roomOfTwo())
    const invited = await alice.createRoom([invite(bob)])
    for (const room of rooms) for (let index = 0; index < 22; index++) await alice.say(room, 'x')
    const first = await bob.sync()
    const meanwhile = await alice.say(rooms[0] ?? '', 'meanwhile')
    const pages = [first, ...(await drain(bob, first.next))]
    expect(pages.length).toBeGreaterThan(3)
    const seen = new Map<string, SyncResponse['rooms'][string][]>()
    for (const page of pages)
      for (const [room, delta] of Object.entries(page.rooms))
        seen.set(room, [...(seen.get(room) ?? []), delta])
    expect(new Set(seen.keys())).toEqual(new Set([...rooms, invited]))
    expect(seen.get(invited)?.[0]?.membership).toBe('invite')
    for (const room of rooms) {
      const [delta] = seen.get(room) ?? []
      expect(delta?.timeline).toHaveLength(20)
      expect(delta?.limited).toBe(true)
      const ids = envelopes(delta)
      const { events } = await bob.ok('messages', {
        params: { roomId: room },
        query: { before: delta?.prev ?? '', limit: 200 },
      })
      expect(events.some(({ pdu }) => ids.includes(pdu.event.envelope_id))).toBe(false)
      // From where the room said that its history is shared.
      expect(events.at(-1)?.pdu.envelope.type).toBe('e.room.history_visibility')
    }
    const last = pages.flatMap((page) => envelopes(page.rooms[rooms[0] ?? '']))
    expect(last.filter((id) => id === meanwhile.envelope_id)).toHaveLength(1)
  })

  it('is what a device does once it is let in, whatever position it had while pending', async () => {
    const room = await roomOfTwo()
    const second = await signIn(bob)
    const pending = await second.sync()
    expect(pending.account.scope).toBe('pending')
    const waiting = second.sync(pending.next, 20_000)
    await letIn(bob, second)
    await alice.say(room, 'hello both', [fakeWrap({ member: bob.member, device: second.id })])
    const answer = await waiting
    expect(answer.account.scope).toBe('full')
    const pages = [answer, ...(await drain(second, answer.next))]
    const timeline = pages.flatMap((page) => page.rooms[room]?.timeline ?? [])
    expect(timeline.at(-1)?.pdu.envelope.type).toBe('e.message')
    expect(timeline.at(-1)?.wrap).toBeDefined()
  })

  it('keeps wraps of events it did not show, until they are fetched', async () => {
    const room = await roomOfTwo()
    const wrap = fakeWrap({ member: bob.member, device: bob.id })
    const sent = await alice.say(room, 'long ago', [wrap])
    await alice.sayMany(room, 21)
    const first = await bob.sync()
    for (const page of await drain(bob, first.next)) await bob.sync(page.next)
    await bob.sync((await bob.sync(first.next)).next)
    await node.context.acks.flush()
    const { events } = await bob.ok('messages', {
      params: { roomId: room },
      query: { before: 'b999999', limit: 50 },
    })
    const old = events.find(({ pdu }) => pdu.event.envelope_id === sent.envelope_id)
    expect(old?.wrap).toEqual(wrap)
  })
})

describe('history', () => {
  const read = async (device: TestDevice, roomId: string) => {
    const answer = await device.call('messages', {
      params: { roomId },
      query: { before: 'b999999999', limit: 200 },
    })
    if (answer.status !== 200) return answer.body.errcode
    return answer.body.events.map(({ pdu }) => pdu.event.envelope_id)
  }

  it('is shown to one who joins from the join on where the room says joined', async () => {
    const room = await alice.createRoom([invite(bob)], { history: 'joined' })
    const before = await alice.say(room, 'before')
    expect(await read(bob, room)).toBe('M_FORBIDDEN')
    await bob.setState(room, join(bob))
    const after = await alice.say(room, 'after')
    const seen = await read(bob, room)
    expect(seen).toContain(after.envelope_id)
    expect(seen).not.toContain(before.envelope_id)
    expect((await bob.sync()).rooms[room]).toMatchObject({ limited: false, prev: null })
  })

  it('is shown from the invitation on where it says invited, whole where it says shared', async () => {
    const room = await alice.createRoom([], { history: 'invited' })
    const first = await alice.say(room, 'first')
    await alice.setState(room, invite(bob))
    const second = await alice.say(room, 'second')
    await bob.setState(room, join(bob))
    expect(await read(bob, room)).toContain(second.envelope_id)
    expect(await read(bob, room)).not.toContain(first.envelope_id)
    await alice.setState(room, historyVisibilityBody('shared'))
    const carol = await register(node, `carol${count}`)
    const third = await alice.say(room, 'third')
    await alice.setState(room, inviteBody(carol.member, carol.userId))
    await carol.setState(room, join(carol))
    const seen = await read(carol, room)
    expect(seen).toContain(third.envelope_id)
    expect(seen).not.toContain(first.envelope_id)
  })

  it('ends for one who left where they left', async () => {
    const room = await roomOfTwo()
    const during = await alice.say(room, 'during')
    await bob.setState(room, leaveBody(bob.member, bob.userId))
    const after = await alice.say(room, 'after')
    const seen = await read(bob, room)
    expect(seen).toContain(during.envelope_id)
    expect(seen).not.toContain(after.envelope_id)
  })

  it('is nothing to strangers, and comes in pages with what it rests on', async () => {
    const room = await roomOfTwo()
    const carol = await register(node, `carol${count}`)
    expect(await read(carol, room)).toBe('M_NOT_FOUND')
    await alice.sayMany(room, 5)
    const page = async (before: string) =>
      bob.ok('messages', { params: { roomId: room }, query: { before, limit: 3 } })
    const first = await page('b999999999')
    const second = await page(first.prev ?? '')
    expect(first.events).toHaveLength(3)
    expect(second.events).toHaveLength(3)
    const ids = [...first.events, ...second.events].map(({ pdu }) => pdu.event.envelope_id)
    expect(new Set(ids).size).toBe(6)
    expect(first.auth?.[0]?.envelope.type).toBe('e.room.create')
    const bad = await bob.call('messages', { params: { roomId: room }, query: { before: 'x' } })
    expect(bad.body.errcode).toBe('M_INVALID_PARAM')
  })
})

describe('news of people', () => {
  it('reaches those who share a room, and own devices', async () => {
    await roomOfTwo()
    const stranger = await register(node, `stranger${count}`)
    const [next, own, strange] = [
      await caughtUp(bob),
      await caughtUp(alice),
      await caughtUp(stranger),
    ]
    await alice.ok('setProfile', { body: { display_name: 'A.' } })
    await letIn(alice, await signIn(alice))
    const news = {
      user_id: alice.userId,
      member: alice.member,
      head: alice.manifest.head,
      height: 1,
    }
    for (const page of [await bob.sync(next), await alice.sync(own)]) {
      expect(page.manifests).toEqual([news])
      expect(page.profiles).toEqual([{ user_id: alice.userId, display_name: 'A.' }])
    }
    expect((await stranger.sync(strange)).manifests).toEqual([])
  })
})

describe('receipts', () => {
  it('reach the members once, signed by the device that makes them', async () => {
    const room = await roomOfTwo()
    const { envelope_id: envelope } = await alice.say(room, 'did you get it?')
    const next = await caughtUp(alice)
    const said = { room, envelope, kind: 'delivered', ts: Date.now() } as const
    const receipt = makeReceipt(crypto, bob.local, said)
    const post = (device: TestDevice, ...receipts: (typeof receipt)[]) =>
      device.call('receipts', { params: { roomId: room }, body: { receipts } })
    expect((await post(bob, receipt)).status).toBe(200)
    expect((await post(bob, receipt)).status).toBe(200)
    const unknown = makeReceipt(crypto, bob.local, { ...said, envelope: 'A'.repeat(43) })
    expect((await post(bob, unknown)).status).toBe(200)
    expect((await alice.sync(next)).rooms[room]?.receipts).toEqual([receipt])
    expect((await alice.sync()).rooms[room]?.receipts).toEqual([receipt])

    expect((await post(alice, receipt)).body.errcode).toBe('M_FORBIDDEN')
    expect((await post(bob, { ...receipt, kind: 'read' })).body.errcode).toBe('M_FORBIDDEN')
    const carol = await register(node, `carol${count}`)
    const outside = makeReceipt(crypto, carol.local, said)
    expect((await post(carol, outside)).body.errcode).toBe('M_NOT_FOUND')
  })
})

describe('messages to devices', () => {
  function message(from: TestDevice, to: TestDevice): ToDeviceEnvelope {
    return {
      v: 1,
      sender: { member: from.member, device: from.id },
      recipient: { member: to.member, device: to.id },
      ...(({ session, message }) => ({ session, message }))(
        fakeWrap({ member: to.member, device: to.id }),
      ),
    }
  }
  const send = (from: TestDevice, to: TestDevice, txnId = newTxn(), sent = message(from, to)) =>
    from.call('toDevice', {
      params: { txnId },
      body: {
        messages: [{ user_id: to.userId, member: to.member, device: to.id, message: sent }],
      },
    })

  it('arrive once, wait for one who is away, and go when acknowledged', async () => {
    const next = await caughtUp(bob)
    const txn = newTxn()
    const sent = message(alice, bob)
    expect((await send(alice, bob, txn, sent)).status).toBe(200)
    expect((await send(alice, bob, txn, sent)).status).toBe(200)
    expect((await send(alice, bob, txn)).body.errcode).toBe('E_TXN_REUSED')
    const page = await bob.sync(next)
    expect(page.to_device).toEqual([
      { id: expect.any(String), user_id: alice.userId, member: alice.member, message: sent },
    ])
    expect((await bob.sync(next)).to_device).toEqual(page.to_device)
    expect((await bob.sync()).to_device).toEqual(page.to_device)
    await bob.sync(page.next)
    await node.context.acks.flush()
    expect((await bob.sync()).to_device).toEqual([])
  })

  it('come in pages to a device that starts from nothing', async () => {
    for (let index = 0; index < 23; index++) await send(alice, bob)
    const first = await bob.sync()
    const pages = [first, ...(await drain(bob, first.next))]
    const ids = pages.flatMap((page) => page.to_device.map(({ id }) => id))
    expect(new Set(ids).size).toBe(23)
    expect(ids).toHaveLength(23)
  })

  it('are refused in another’s name, and to other servers; to removed devices they are dropped', async () => {
    const forged = await send(alice, bob, newTxn(), message(bob, bob))
    expect([forged.status, forged.body.rule]).toEqual([403, 'wrong_ends'])
    const elsewhere = await alice.call('toDevice', {
      params: { txnId: newTxn() },
      body: {
        messages: [
          {
            user_id: '@bob:elsewhere.test',
            member: bob.member,
            device: bob.id,
            message: message(alice, bob),
          },
        ],
      },
    })
    expect(elsewhere.body.errcode).toBe('E_FEDERATION_UNAVAILABLE')
    const second = await signIn(bob)
    await letIn(bob, second)
    await removeDevice(bob, second)
    expect((await send(alice, second)).status).toBe(200)
    const left = await node.context.storage.read((tx) => tx.toDevice.waiting(bob.member, second.id))
    expect(left).toBe(0)
  })
})
