import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  inviteBody,
  kickBody,
  membershipOf,
  nameBody,
  toBase64Url,
} from '../../src-shared/protocol/index.ts'
import type { Pdu, RoomEvent } from '../../src-shared/protocol/index.ts'
import { SERVER_SKEW_MS } from '../../src-shared/api/index.ts'
import { eventItem, FakePeer, follow, newKey } from '../testing/fake-peer.ts'
import type { Room } from '../testing/fake-peer.ts'
import { FederationNet } from '../testing/federation-net.ts'
import { fakeWrap, random, register } from '../testing/test-device.ts'
import type { TestDevice } from '../testing/test-device.ts'
import type { TestNode } from '../testing/start-node.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const HOME = 'home.test'
let net: FederationNet
let node: TestNode
let url: string
let peer: FakePeer
let alice: TestDevice
let count = 0

beforeAll(async () => {
  net = await FederationNet.open([HOME, 'evil.test', 'third.test'])
  const member = await net.start(HOME)
  if (typeof member.node?.federationUrl !== 'string') throw new Error('no federation')
  node = member.node
  url = member.node.federationUrl
})
afterAll(() => net.close())

const version = '/_eccp/federation/v1/manifests/%40nobody%3Ahome.test'

describe('a signed request', () => {
  beforeAll(async () => {
    peer = await FakePeer.start('evil.test')
    net.aim('evil.test', peer.url)
    alice = await register(node, 'keeper')
  })
  afterAll(() => peer.close())

  const rule = async (asking: Parameters<FakePeer['ask']>[2]) => {
    const { status, body } = await peer.ask(url, HOME, asking)
    return [status, body['rule'] ?? body['errcode']]
  }

  it('is taken once', async () => {
    expect(await rule({ path: version })).toEqual([404, 'M_NOT_FOUND'])
    const authorization = peer.lastAuthorization
    expect(await rule({ path: version, authorization })).toEqual([401, 'replayed'])
  })

  it('counts for exactly what was signed', async () => {
    const other = await rule({ path: version, sign: (r) => ({ ...r, path: `${version}?from=1` }) })
    expect(other).toEqual([401, 'bad_signature'])
    expect(await rule({ path: version, sign: (r) => ({ ...r, method: 'POST' }) })).toEqual([
      401,
      'bad_signature',
    ])
    const body = { claimer: 'x', devices: [] }
    const path = '/_eccp/federation/v1/keys/claim'
    const swapped = await rule({ path, body, sign: (r) => ({ ...r, body: new Uint8Array([1]) }) })
    expect(swapped).toEqual([401, 'bad_signature'])
    expect(
      await rule({ path: version, sign: (r) => ({ ...r, destination: 'third.test' }) }),
    ).toEqual([401, 'wrong_ends'])
  })

  it('is refused in the name of another, and under a key that is not the server’s', async () => {
    // A server that can't be asked for its key: nobody speaks for it.
    const forged = await rule({ path: version, sign: (r) => ({ ...r, origin: 'third.test' }) })
    expect(forged).toEqual([401, 'unknown_key'])
    expect(await rule({ path: version, sign: (r) => ({ ...r, origin: HOME }) })).toEqual([
      401,
      'wrong_ends',
    ])
    const stolen = { ...newKey('x'), keyId: peer.key.keyId }
    expect(await rule({ path: version, key: stolen })).toEqual([401, 'bad_signature'])
  })

  it('is refused where the clocks differ by more than a few seconds', async () => {
    for (const off of [-SERVER_SKEW_MS - 2000, SERVER_SKEW_MS + 2000]) {
      const answer = await peer.ask(url, HOME, {
        path: version,
        sign: (r) => ({ ...r, ts: r.ts + off }),
      })
      expect([answer.status, answer.body['errcode']]).toEqual([403, 'E_CLOCK_SKEW'])
      expect(answer.body['server_time']).toBeTypeOf('number')
    }
  })

  it('is refused without a signature, with a broken one, with a body that is no JSON', async () => {
    expect(await rule({ path: version, authorization: '' })).toEqual([401, 'M_MISSING_TOKEN'])
    for (const authorization of [
      'Bearer x',
      'ECCP-Ed25519 origin="evil.test"',
      'ECCP-Ed25519 ,,,,,',
    ])
      expect(await rule({ path: version, authorization })).toEqual([401, 'malformed'])
    const path = '/_eccp/federation/v1/keys/claim'
    const deep = new Uint8Array(Buffer.from(`${'['.repeat(5000)}${']'.repeat(5000)}`))
    expect(await rule({ path, method: 'POST', bytes: deep })).toEqual([400, 'M_NOT_JSON'])
    const large = new Uint8Array(Buffer.from(`{"x":"${'y'.repeat(80_000)}"}`))
    expect(await rule({ path, method: 'POST', bytes: large })).toEqual([413, 'M_TOO_LARGE'])
  })

  it('follows a rotation of keys; the old key signs no more requests', async () => {
    expect(await rule({ path: version })).toEqual([404, 'M_NOT_FOUND'])
    const old = peer.key
    peer.retired = [{ key: old, until: Date.now() }]
    peer.key = newKey('two')
    // What was fetched a moment ago is not fetched again for every name that somebody makes up.
    node.context.serverKeys.forget('evil.test')
    expect(await rule({ path: version })).toEqual([404, 'M_NOT_FOUND'])
    expect(await rule({ path: version, key: old })).toEqual([401, 'unknown_key'])
    const keys = await alice.ok('serverKeys', { params: { serverName: 'evil.test' } })
    expect(keys.keys.map(({ key_id }) => key_id).sort()).toEqual(['ed25519:one', 'ed25519:two'])
  })

  it('is refused when a key id comes back with another key', async () => {
    const before = peer.key
    peer.key = { ...newKey('x'), keyId: 'ed25519:three' }
    peer.retired = [{ key: { ...newKey('x'), keyId: 'ed25519:one' }, until: 5 }]
    node.context.serverKeys.forget('evil.test')
    expect(await rule({ path: version })).toEqual([401, 'unknown_key'])
    peer.key = before
  })
})

describe('a hostile server in a room', () => {
  let room: Room
  let other: FakePeer
  beforeAll(async () => {
    other = await FakePeer.start('third.test')
    net.aim('third.test', other.url)
    // That it could not be asked a moment ago is remembered for a while.
    node.context.serverKeys.forget('third.test')
  })
  afterAll(() => other.close())
  beforeEach(async () => {
    count++
    const name = 'evil.test'
    peer = await FakePeer.start(name)
    // Each test's server is a new one under a name of its own in the room, with keys not seen before.
    peer.key = newKey(`k${count}`)
    net.aim(name, peer.url)
    node.context.serverKeys.forget(name)
    alice = await register(node, `alice${count}`)
    const id = await alice.createRoom([inviteBody(peer.user.member, peer.user.userId)])
    room = await peer.join(url, HOME, id)
    return () => peer.close()
  })

  async function message(text: string, change: Parameters<FakePeer['order']>[2] = {}) {
    return peer.order(room, peer.user.sealMessage(room.id, room.state, text), change)
  }
  const push = async (...items: object[]): Promise<string[]> => peer.push(url, HOME, items)
  const shown = async (event: RoomEvent): Promise<boolean> => {
    const rows = await node.context.storage.read((tx) =>
      tx.events.latest(
        room.id,
        [{ from: 0, to: Number.MAX_SAFE_INTEGER }],
        Number.MAX_SAFE_INTEGER,
        500,
      ),
    )
    return rows.some((row) => row.event_id === event.id)
  }

  it('is believed where it is honest', async () => {
    const good = await message('hello')
    expect(await push(eventItem(good))).toEqual(['taken'])
    expect(await shown(good)).toBe(true)
    expect(await push(eventItem(good))).toEqual(['taken'])
  })

  it('forges and omits signatures in vain, and the honest copy still counts', async () => {
    const good = await message('mine')
    const zero = toBase64Url(new Uint8Array(64))
    const { pdu } = good
    const wrongEvent: Pdu = { ...pdu, event_sig: { ...pdu.event_sig, sig: zero } }
    const wrongDevice: Pdu = { ...pdu, envelope_sig: zero }
    const unsigned = { ...pdu, envelope_sig: null } as Pdu
    expect(await push(eventItem({ pdu: wrongEvent }))).toEqual(['refused bad_event_signature'])
    expect(await push(eventItem({ pdu: wrongDevice }))).toEqual(['refused bad_envelope_signature'])
    expect(await push(eventItem({ pdu: unsigned }))).toEqual(['refused bad_shape'])
    expect(await push(eventItem({ pdu: { ...pdu, body: toBase64Url(random(9)) } }))).toEqual([
      'refused wrong_body',
    ])
    expect(await push(eventItem(good))).toEqual(['taken'])
  })

  it('speaks for no other server’s user', async () => {
    const state = room.state
    const sealed = alice.sealMessage(room.id, state, 'as alice')
    expect(await push(eventItem(peer.order(room, sealed)))).toEqual(['refused wrong_origin'])
    const claimed = peer.order(room, sealed, { origin: HOME })
    expect(await push(eventItem(claimed))).toEqual(['refused unknown_origin_key'])
    const third = await message('as a third', { origin: 'third.test', nodeKey: other.key })
    expect(await push(eventItem(third))).toEqual(['refused wrong_origin'])
  })

  it('can not act beyond its power, nor choose the past it acts in', async () => {
    const kick = peer.user.sealState(room.id, room.state, kickBody(room.state, alice.member))
    expect(await push(eventItem(peer.order(room, kick)))).toEqual(['refused not_outranked'])
    const name = peer.user.sealState(room.id, room.state, nameBody('Mine'))
    expect(await push(eventItem(peer.order(room, name)))).toEqual(['refused power_too_low'])
    const few = await message('few', { authEvents: [] })
    expect(await push(eventItem(few))).toEqual(['refused no_room'])
    const early = await message('early', { originTs: 1 })
    expect(await push(eventItem(early))).toEqual(['refused earlier_than_parent'])
    const onTop = peer.order(follow(room, early), peer.user.sealMessage(room.id, room.state, 'on'))
    expect(await push(eventItem(onTop))).toEqual(['refused rests_on_rejected'])
    const orphan = await message('orphan', { prevEvents: [] })
    expect(await push(eventItem(orphan))).toEqual(['refused no_parents'])
    expect(membershipOf(await alice.state(room.id), alice.member)).toBe('join')
  })

  it('withholds what its events rest on, and is refused', async () => {
    const hidden = await message('hidden')
    const onTop = peer.order(
      follow(room, hidden),
      peer.user.sealMessage(room.id, room.state, 'top'),
    )
    expect(await push(eventItem(onTop))).toEqual(['refused missing_events'])
    const asked = peer.asked
    peer.missing = () => ({ events: [hidden.pdu], more: false, next: null })
    expect(await push(eventItem(onTop))).toEqual(['taken'])
    expect(peer.asked).toBeGreaterThan(asked)
    expect(await shown(hidden)).toBe(true)
  })

  it('answers with anything at all, and the node goes on', async () => {
    const hidden = await message('hidden')
    const onTop = peer.order(
      follow(room, hidden),
      peer.user.sealMessage(room.id, room.state, 'top'),
    )
    const odd: unknown[] = [
      { events: 'many', more: false, next: null },
      { events: [{ event: 'odd' }, 7, null], more: false, next: null },
      { events: [], more: true, next: '7' },
      { events: [onTop.pdu], more: false, next: null },
    ]
    for (const answer of odd) {
      let times = 0
      peer.missing = () => (++times > 3 ? { events: [], more: false, next: null } : answer)
      expect((await push(eventItem(onTop)))[0]).toMatch(/^(refused|later) /)
    }
    expect((await alice.say(room.id, 'still here')).event_id).toMatch(/^\$/)
  })

  it('swaps and adds wraps in vain', async () => {
    const mine = { member: alice.member, device: alice.id }
    const said = await alice.say(room.id, 'from home')
    const [row] = await node.context.storage.read((tx) => tx.events.byIds([said.event_id]))
    const pdu = { ...(JSON.parse(row?.pdu ?? '{}') as object), body: row?.body } as Pdu
    expect(await push(eventItem({ pdu }, [fakeWrap(mine)]))).toEqual(['taken'])
    const good = await message('with wraps')
    const nobody = { member: peer.user.member, device: peer.user.id }
    expect(await push(eventItem(good, [fakeWrap(mine), fakeWrap(nobody)]))).toEqual(['taken'])
    const kept = await node.context.storage.read(async (tx) => [
      ...(await tx.wraps.forEvents(mine.member, mine.device, [said.event_id, good.id])).keys(),
      ...(await tx.wraps.forEvents(nobody.member, nobody.device, [good.id])).keys(),
    ])
    expect(kept).toEqual([good.id])
  })

  it('sends items of every odd kind, each judged alone', async () => {
    const good = await message('between')
    const outcomes = await push(
      { kind: 'unheard_of' },
      { kind: 'event', pdu: 'x', wraps: [] },
      { kind: 'receipt', receipt: {} },
      eventItem(good),
      { kind: 'profile', user_id: alice.userId, member: alice.member, display_name: 'x' },
      { kind: 'manifest', user_id: alice.userId, member: alice.member, head: 'x', height: 9 },
    )
    expect(outcomes).toEqual([
      'refused bad_item',
      'refused bad_item',
      'refused bad_item',
      'taken',
      'refused wrong_origin',
      'refused wrong_origin',
    ])
  })

  it('forks the graph; the node joins the ends and resolves', async () => {
    const ends = await Promise.all(['one', 'two', 'three'].map((text) => message(text)))
    expect(await push(...ends.map((end) => eventItem(end)))).toEqual(['taken', 'taken', 'taken'])
    const said = await alice.say(room.id, 'together')
    const [row] = await node.context.storage.read((tx) => tx.events.byIds([said.event_id]))
    const { event } = JSON.parse(row?.pdu ?? '{}') as Pdu
    expect(event.prev_events).toEqual(ends.map(({ id }) => id).sort())
  })

  it('floods the room with ends; they stop being taken until somebody joins them', async () => {
    const ends: object[] = []
    for (let index = 0; index < 70; index++) ends.push(eventItem(await message(`${index}`)))
    const outcomes = await push(...ends)
    expect(outcomes.filter((outcome) => outcome === 'taken')).toHaveLength(60)
    expect(outcomes.slice(60)).toEqual(Array(10).fill('later too_many_ends'))
    // Each event of this node joins twenty of them.
    for (let turn = 0; turn < 4; turn++) await alice.say(room.id, `turn ${turn}`)
    const left = await node.context.storage.read((tx) => tx.events.extremities(room.id))
    expect(left).toHaveLength(1)
    expect(await push(...ends.slice(60))).toEqual(Array(10).fill('taken'))
  })

  it('is held to what the room thinks of it by the time it speaks', async () => {
    const before = await message('before the end')
    await alice.setState(room.id, kickBody(await alice.state(room.id), peer.user.member))
    // Good at its own place, so every node keeps it; too late to be shown.
    expect(await push(eventItem(before))).toEqual(['taken'])
    expect(await shown(before)).toBe(false)
    const after = await message('after')
    expect((await push(eventItem(after)))[0]).toBe('taken')
    expect(await shown(after)).toBe(false)
  })
})
