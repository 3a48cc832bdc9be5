/**
 * What one event of a hostile peer makes a node do (Federation §15.8): questions, checks of signatures and rows stay
 * within what the peer itself has said, and others are served meanwhile.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { inviteBody, toBase64Url } from '../../src-shared/protocol/index.ts'
import type { RoomEvent } from '../../src-shared/protocol/index.ts'
import { random, register } from '../../conformance/device.ts'
import type { TestDevice } from '../../conformance/device.ts'
import { eventItem, follow, PeerListener } from '../../conformance/fake-peer.ts'
import type { FakePeer, Room } from '../../conformance/fake-peer.ts'
import { isolated } from '../config.ts'
import type { PeerAddress } from '../config.ts'
import { startNode } from '../testing/start-node.ts'
import type { TestNode } from '../testing/start-node.ts'
import { FREE_PAGES } from './fetch-budget.ts'

vi.setConfig({ testTimeout: 120_000 })

const CROWD = Array.from({ length: 20 }, (_, index) => `crowd${index}.test`)

/** A node has few connections to one address: these are enough for all at once. */
let listeners: PeerListener[]
let node: TestNode
let peers: Map<string, FakePeer>
let evil: FakePeer
let alice: TestDevice
let eve: TestDevice
let room: Room
beforeAll(async () => {
  const names = ['evil.test', 'good.test', ...CROWD]
  listeners = await Promise.all(
    [0, 1, 2].map(() => PeerListener.open({ host: '127.0.0.1', port: 0, tls: null })),
  )
  peers = new Map()
  const addresses: Record<string, PeerAddress> = {}
  for (const [index, name] of names.entries()) {
    const at = listeners[index % listeners.length]
    if (at === undefined) continue
    peers.set(name, at.add(name))
    const port = Number(new URL(at.url).port)
    addresses[name] = { host: '127.0.0.1', port, rootFile: null, plainHttp: true }
  }
  evil = peer('evil.test')
  node = await startNode({
    serverName: 'a.test',
    logLevel: 'silent',
    federation: {
      ...isolated,
      mode: 'open',
      listen: { host: '127.0.0.1', port: 0 },
      plainHttpOnLoopback: true,
      peers: addresses,
    },
  })
  alice = await register(node, 'alice')
})
afterAll(async () => {
  for (const listener of listeners) listener.close()
  await node.stop()
})
beforeEach(async () => {
  eve = evil.newUser(
    `eve${toBase64Url(random(3))
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, '0')}`,
  )
  const id = await alice.createRoom([inviteBody(eve.member, eve.userId)])
  room = await evil.join(target(), id, eve)
})
afterEach(() => {
  for (const one of peers.values()) one.behave()
  vi.restoreAllMocks()
})

function peer(name: string): FakePeer {
  const found = peers.get(name)
  if (found === undefined) throw new Error(`no ${name}`)
  return found
}

const target = () => ({ serverName: 'a.test', federationUrl: node.federationUrl ?? '' })

function said(text: string, on: Room = room): RoomEvent {
  return evil.order(on, eve.sealMessage(on.id, on.state, text, []))
}

/** Messages, each on top of the one before. */
function chain(length: number): RoomEvent[] {
  const events: RoomEvent[] = []
  let at = room
  for (let index = 0; index < length; index++) {
    const event = said(`${index}`, at)
    events.push(event)
    at = follow(at, event)
  }
  return events
}

const ids = (length: number): string[] =>
  Array.from({ length }, () => `$${toBase64Url(random(32))}`)

/** On parents and under authority that nobody has ever had. */
function floating(): RoomEvent {
  const submission = eve.sealMessage(room.id, room.state, 'floating', [])
  return evil.order(room, submission, { prevEvents: ids(20), authEvents: ids(10) })
}

interface Cost {
  readonly outcomes: readonly string[]
  /** Requests that the peer was sent, by their last word. */
  readonly asked: Record<string, number>
  readonly checks: number
  readonly rows: number
}

/** What comes of pushing these, and what it takes. */
async function cost(items: readonly object[]): Promise<Cost> {
  const { context } = node
  const rows = () => context.storage.read((tx) => tx.events.count(room.id))
  const before = await rows()
  const checks = vi.spyOn(context.crypto, 'ed25519Verify')
  const calls = vi.spyOn(context.peers, 'call')
  const outcomes = await evil.push(target(), items)
  const asked: Record<string, number> = {}
  for (const [, name] of calls.mock.calls) asked[name] = (asked[name] ?? 0) + 1
  const checked = checks.mock.calls.length
  checks.mockRestore()
  calls.mockRestore()
  return { outcomes, asked, checks: checked, rows: (await rows()) - before }
}

const page = (events: readonly RoomEvent[], more = true, next: string | null = null) => ({
  events: events.map(({ pdu }) => pdu),
  more,
  next,
})

describe('an event that rests on nothing that can be had', () => {
  it('costs a question, and no check or row beyond the check of who asks', async () => {
    const found = await cost(Array.from({ length: 40 }, () => eventItem(floating())))
    expect(new Set(found.outcomes)).toEqual(new Set(['refused missing_events']))
    expect(found).toMatchObject({ asked: { missing: 40 }, checks: 1, rows: 0 })
  })

  it('costs no more where pages come without end and tell nothing', async () => {
    evil.answers.missing = () => page([], true, toBase64Url(random(8)))
    const found = await cost([eventItem(floating())])
    expect(found).toEqual({
      outcomes: ['refused missing_events'],
      asked: { missing: 1 },
      checks: 1,
      rows: 0,
    })
  })

  it('costs no check or row where pages tell what is here, and as many pages as there is to tell', async () => {
    await evil.fetchRoom(target(), room.id)
    const known = evil.eventsIn(room.id)
    evil.answers.missing = () => page(known, true, toBase64Url(random(8)))
    const found = await cost([eventItem(floating())])
    expect(found).toEqual({
      outcomes: ['refused missing_events'],
      asked: { missing: 2 },
      checks: 1,
      rows: 0,
    })
    // Without a place to go on from, the same question is asked twice at most.
    evil.answers.missing = () => page(known)
    expect((await cost([eventItem(floating())])).asked).toEqual({ missing: 2 })
  })

  it('costs no row where what is told floats as well, or is not signed', async () => {
    const unsigned = { ...said('x').pdu.event_sig, sig: toBase64Url(new Uint8Array(64)) }
    const forged = chain(50).map((event) => ({
      ...event,
      pdu: { ...event.pdu, event_sig: unsigned },
    }))
    const backwards = chain(100).toReversed().slice(0, 99)
    evil.answers.missing = () => page([...backwards, ...forged], true, toBase64Url(random(8)))
    const found = await cost([eventItem(floating())])
    expect(found).toMatchObject({
      outcomes: ['refused missing_events'],
      asked: { missing: 1 },
      rows: 0,
    })
    // The first of those that are forged stands on what is here: its signature is looked at.
    expect(found.checks).toBeLessThanOrEqual(3)
  })
})

describe('a chain that is served without end', () => {
  it('in pages of one event is asked for a few times, and each event costs two checks and a row', async () => {
    const events = chain(40)
    let given = 0
    evil.answers.missing = () => page(events.slice(given, ++given))
    const { outcomes, asked, checks, rows } = await cost([eventItem(floating())])
    expect(outcomes).toEqual(['later unfinished'])
    expect(asked).toEqual({ missing: FREE_PAGES + 2 })
    expect(rows).toBe(FREE_PAGES + 2)
    expect(checks).toBe(1 + 2 * rows)
    // What has come is not fetched again.
    const again = await cost([eventItem(floating())])
    expect(again.rows).toBe(FREE_PAGES + 2)
  })
})

describe('while a peer is slow to give', () => {
  it('its own events wait in their line, clients and another peer with a gap in the same room do not', async () => {
    const good = peer('good.test')
    const gwen = good.newUser(
      `gwen${eve.member
        .slice(0, 4)
        .toLowerCase()
        .replaceAll(/[^a-z0-9]/g, '0')}`,
    )
    await alice.setState(room.id, inviteBody(gwen.member, gwen.userId))
    const joined = await good.join(target(), room.id, gwen)
    const hidden = good.order(joined, gwen.sealMessage(room.id, joined.state, 'hidden', []))
    const at = follow(joined, hidden)
    const top = good.order(at, gwen.sealMessage(room.id, at.state, 'top', []))
    good.answers.missing = () => page([hidden], false)

    const held: (() => void)[] = []
    let most = 0
    evil.answers.missing = ({ response }) => {
      held.push(() => response.writeHead(200).end(JSON.stringify(page([], false))))
      most = Math.max(most, held.length)
      return undefined
    }
    const slow = [0, 1, 2].map(() =>
      evil.push(target(), [eventItem(floating()), eventItem(floating())]),
    )
    await vi.waitFor(() => expect(held).toHaveLength(1), 20_000)
    expect(await good.push(target(), [eventItem(top)])).toEqual(['taken'])
    expect(await alice.ok('whoami')).toMatchObject({ member: alice.member })
    await alice.say(room.id, 'meanwhile')
    let done = false
    const all = Promise.all(slow).then((outcomes) => {
      done = true
      return outcomes
    })
    await vi.waitFor(() => {
      held.shift()?.()
      expect(done).toBe(true)
    }, 20_000)
    expect((await all).flat()).toEqual(Array(6).fill('refused missing_events'))
    expect(most).toBe(1)
  })

  it('and so are many of them, a bounded number of pages is on its way', async () => {
    const crowd = CROWD.map(peer)
    const held: (() => void)[] = []
    for (const one of crowd)
      one.answers.missing = ({ response }) => {
        held.push(() => response.writeHead(200).end(JSON.stringify(page([], false))))
        return undefined
      }
    const path = `/_eccp/federation/v1/manifests/${encodeURIComponent('@nobody:a.test')}`
    // Their keys are known, and what they are asked for next is what is missing.
    for (const one of crowd) expect((await one.ask(target(), { path })).status).toBe(404)
    const item = eventItem(floating())
    const pushed = crowd.map((one) => one.push(target(), [item]))
    await vi.waitFor(() => expect(held).toHaveLength(16), 20_000)
    expect(await alice.ok('whoami')).toMatchObject({ member: alice.member })
    for (const one of crowd) Reflect.deleteProperty(one.answers, 'missing')
    // All have been told who may ask next by now.
    expect(held).toHaveLength(16)
    for (const answer of held) answer()
    expect((await Promise.all(pushed)).flat()).toEqual(CROWD.map(() => 'refused missing_events'))
  })
})
