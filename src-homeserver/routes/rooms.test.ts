import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  banBody,
  createRoomGraph,
  inviteBody,
  joinBody,
  joinRulesBody,
  kickBody,
  leaveBody,
  nameBody,
  openState,
  fromBase64Url,
  memberPowerBody,
  membershipOf,
  rosterOf,
  sameState,
  stateEvents,
  toBase64Url,
  decodePdu,
} from '../../src-shared/protocol/index.ts'
import type { Json, RoomEvent } from '../../src-shared/protocol/index.ts'
import type { Submission } from '../../src-shared/api/index.ts'
import { startNode } from '../testing/start-node.ts'
import type { TestNode } from '../testing/start-node.ts'
import {
  call,
  crypto,
  fakeWrap,
  letIn,
  newTxn,
  random,
  register,
  signIn,
  stateFrom,
} from '../../conformance/device.ts'
import type { TestDevice } from '../../conformance/device.ts'

let node: TestNode
let count = 0
let alice: TestDevice
let bob: TestDevice
let carol: TestDevice
beforeAll(async () => {
  node = await startNode()
})
afterAll(() => node.stop())
beforeEach(async () => {
  count++
  alice = await register(node, `alice${count}`)
  bob = await register(node, `bob${count}`)
  carol = await register(node, `carol${count}`)
})

const invite = (who: TestDevice) => inviteBody(who.member, who.userId)
const join = (who: TestDevice) => joinBody(who.member, who.userId)
const leave = (who: TestDevice) => leaveBody(who.member, who.userId)

async function roomOfTwo(): Promise<string> {
  const room = await alice.createRoom([invite(bob)])
  expect((await bob.setState(room, join(bob))).status).toBe(200)
  return room
}

interface Refused {
  readonly status: number
  readonly body: { readonly errcode?: string | undefined; readonly rule?: string | undefined }
}
const refusal = ({ status, body }: Refused) => [status, body.errcode, body.rule] as const

describe('making a room', () => {
  it('states the creator’s roster and those of the invited', async () => {
    const room = await alice.createRoom([invite(bob)])
    const state = await alice.state(room)
    expect(rosterOf(state, alice.member)).toMatchObject({ head: alice.manifest.head, height: 0 })
    expect(rosterOf(state, bob.member)).toMatchObject({ head: bob.manifest.head, height: 0 })
    expect(membershipOf(state, bob.member)).toBe('invite')
  })

  it('gives state of which a client can verify every event', async () => {
    const room = await roomOfTwo()
    const { events } = await alice.ok('state', { params: { roomId: room } })
    const { body } = await call(node.url, 'capabilities')
    const key = fromBase64Url(body.signing_key.ed25519)
    const decoded = events.map((pdu): RoomEvent => {
      const result = decodePdu(crypto, pdu as unknown as Json)
      if (!result.ok) throw new Error(result.code)
      return result.event
    })
    const { state, refused } = openState(crypto, room, decoded, () => key)
    expect(refused).toEqual([])
    expect(sameState(state, stateFrom(events))).toBe(true)
  })

  it('answers the same request alike, and refuses other bytes under its transaction id', async () => {
    const body = alice.createRoomBody()
    const first = await alice.ok('createRoom', { body })
    expect(await alice.ok('createRoom', { body })).toEqual(first)
    const other = await alice.call('createRoom', {
      body: { ...alice.createRoomBody(), txn: body.txn },
    })
    expect(refusal(other)).toEqual([409, 'E_TXN_REUSED', undefined])
    const repeated = await alice.call('createRoom', { body: { ...body, txn: newTxn() } })
    expect(refusal(repeated)).toEqual([400, 'E_BAD_ENVELOPE', 'envelope_repeated'])
  })

  it('refuses a batch that does not begin with the create envelope, whole', async () => {
    const body = alice.createRoomBody()
    const reversed = await alice.call('createRoom', {
      body: { ...body, submissions: [...body.submissions].reverse() },
    })
    expect(refusal(reversed)).toEqual([400, 'E_BAD_ENVELOPE', 'create_first'])
    const other = await alice.call('createRoom', { body: { ...body, visibility: 'invite_only' } })
    expect(refusal(other)).toEqual([400, 'E_BAD_ENVELOPE', 'visibility'])
    expect((await alice.ok('createRoom', { body })).event_ids).toHaveLength(4)
  })

  it('tells a device that founds on an old manifest head what the head is', async () => {
    const body = alice.createRoomBody()
    await letIn(alice, await signIn(alice))
    const answer = await alice.call('createRoom', { body })
    expect(answer.body).toMatchObject({
      errcode: 'E_ROSTER_MISMATCH',
      roster: [{ member: alice.member, head: alice.manifest.head }],
    })
  })

  it('refuses to invite someone who is not here, or lives elsewhere', async () => {
    const nobody = toBase64Url(random(32))
    const unknown = await alice.call('createRoom', {
      body: alice.createRoomBody([inviteBody(nobody, '@nobody:node.test')]),
    })
    expect(refusal(unknown)).toEqual([403, 'E_UNAUTHORIZED_EVENT', 'unknown_user'])
    const swapped = await alice.call('createRoom', {
      body: alice.createRoomBody([inviteBody(bob.member, carol.userId)]),
    })
    expect(refusal(swapped)).toEqual([403, 'E_UNAUTHORIZED_EVENT', 'unknown_user'])
    const remote = await alice.call('createRoom', {
      body: alice.createRoomBody([inviteBody(nobody, '@dave:elsewhere.test')]),
    })
    expect(refusal(remote)).toEqual([422, 'E_FEDERATION_UNAVAILABLE', undefined])
  })
})

describe('membership', () => {
  it('lets the invited join, and nobody else see that the room exists', async () => {
    const room = await roomOfTwo()
    expect((await carol.call('state', { params: { roomId: room } })).body.errcode).toBe(
      'M_NOT_FOUND',
    )
    const state = await alice.state(room)
    const intruder = await carol.submit(room, carol.sealState(room, state, join(carol)))
    expect(refusal(intruder)).toEqual([404, 'M_NOT_FOUND', undefined])
    const nowhere = `!${'A'.repeat(43)}:node.test`
    const lost = await carol.submit(nowhere, { ...carol.sealMessage(nowhere, state, 'x') })
    expect(refusal(lost)).toEqual([404, 'M_NOT_FOUND', undefined])
  })

  it('lets anyone join a public room', async () => {
    const room = await alice.createRoom([joinRulesBody('public')])
    const state = await alice.state(room)
    expect((await carol.submit(room, carol.sealState(room, state, join(carol)))).status).toBe(200)
    expect(rosterOf(await alice.state(room), carol.member)?.head).toBe(carol.manifest.head)
  })

  it('lets the invited decline, members leave and moderators remove', async () => {
    const room = await alice.createRoom([invite(bob), invite(carol)])
    expect((await carol.setState(room, leave(carol))).status).toBe(200)
    expect((await bob.setState(room, join(bob))).status).toBe(200)
    const state = await bob.state(room)
    const coup = await bob.submit(room, bob.sealState(room, state, kickBody(state, alice.member)))
    expect(refusal(coup)).toEqual([403, 'E_UNAUTHORIZED_EVENT', 'not_outranked'])
    const own = await alice.state(room)
    expect((await alice.setState(room, banBody(own, bob.member))).status).toBe(200)
    const back = await bob.submit(room, bob.sealState(room, await alice.state(room), join(bob)))
    expect(refusal(back)).toEqual([403, 'E_UNAUTHORIZED_EVENT', 'banned'])
    expect((await bob.call('state', { params: { roomId: room } })).body.errcode).toBe('M_FORBIDDEN')
    expect((await alice.setState(room, kickBody(own, bob.member))).status).toBe(200)
    expect((await alice.setState(room, invite(bob))).status).toBe(200)
    expect((await bob.setState(room, join(bob))).status).toBe(200)
  })

  it('states a new roster in every room of a member whose devices changed', async () => {
    const rooms = [await roomOfTwo(), await alice.createRoom([invite(bob)])]
    await letIn(bob, await signIn(bob))
    for (const room of rooms) {
      const roster = rosterOf(await alice.state(room), bob.member)
      expect(roster).toMatchObject({ head: bob.manifest.head, height: 1 })
      expect(roster?.devices).toHaveLength(2)
    }
  })
})

describe('sending', () => {
  it('answers the same bytes alike, and refuses others under the same transaction id', async () => {
    const room = await roomOfTwo()
    const state = await alice.state(room)
    const message = alice.sealMessage(room, state, 'once')
    const txn = newTxn()
    const first = await alice.submit(room, message, txn)
    expect(first.status).toBe(200)
    expect(await alice.submit(room, message, txn)).toEqual(first)
    const other = await alice.submit(room, alice.sealMessage(room, state, 'twice'), txn)
    expect(refusal(other)).toEqual([409, 'E_TXN_REUSED', undefined])
    const again = await alice.submit(room, message)
    expect(refusal(again)).toEqual([400, 'E_BAD_ENVELOPE', 'envelope_repeated'])
    const { events } = await alice.ok('messages', {
      params: { roomId: room },
      query: { before: 'b999999' },
    })
    expect(events.filter(({ pdu }) => pdu.envelope.type === 'e.message')).toHaveLength(1)
  })

  it('takes the same message once when it comes many times at once', async () => {
    const room = await roomOfTwo()
    const message = alice.sealMessage(room, await alice.state(room), 'once')
    const txn = newTxn()
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => alice.submit(room, message, txn)),
    )
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.event_id}`)).size).toBe(1)
  })

  it('tells a device with an old roster who is in the room now', async () => {
    const room = await alice.createRoom([invite(bob)])
    const before = await alice.state(room)
    await bob.setState(room, join(bob))
    const answer = await alice.submit(room, alice.sealMessage(room, before, 'to whom?'))
    expect([answer.status, answer.body.errcode]).toEqual([409, 'E_ROSTER_MISMATCH'])
    expect(new Set(answer.body.roster)).toEqual(
      new Set([
        { member: alice.member, head: alice.manifest.head },
        { member: bob.member, head: bob.manifest.head },
      ]),
    )
  })

  it('tells a device that changes state which is no longer current to seal again', async () => {
    const room = await roomOfTwo()
    const state = await alice.state(room)
    expect((await alice.submit(room, alice.sealState(room, state, nameBody('one')))).status).toBe(
      200,
    )
    const late = await alice.submit(room, alice.sealState(room, state, nameBody('two')))
    expect(refusal(late)).toEqual([409, 'E_STATE_CONFLICT', 'replaces_stale'])
    await alice.setState(room, memberPowerBody(await alice.state(room), bob.member, 50))
    const old = bob.sealState(room, await bob.state(room), nameBody('three'))
    await alice.setState(room, memberPowerBody(await alice.state(room), bob.member, 60))
    expect(refusal(await bob.submit(room, old))).toEqual([409, 'E_STATE_CONFLICT', 'basis_stale'])
  })

  it('refuses a sequence number used before, and says which is free', async () => {
    const room = await roomOfTwo()
    const state = await alice.state(room)
    const first = alice.sealMessage(room, state, 'a')
    const second = alice.sealMessage(room, state, 'b')
    expect((await alice.submit(room, second)).status).toBe(200)
    const late = await alice.submit(room, first)
    expect(refusal(late)).toEqual([400, 'E_BAD_ENVELOPE', 'seq_reused'])
    expect(late.body.next_seq).toBe(second.envelope.seq + 1)
  })

  it('refuses an envelope that was changed, or whose parts do not fit', async () => {
    const room = await roomOfTwo()
    const state = await alice.state(room)
    const good = (): Submission => alice.sealMessage(room, state, 'text')
    const attempt = async (bad: Submission) => refusal(await alice.submit(room, bad))
    const message = good()
    expect(await attempt({ ...message, envelope: { ...message.envelope, ts: 1 } })).toEqual([
      400,
      'E_BAD_ENVELOPE',
      'bad_envelope_signature',
    ])
    expect(await attempt({ ...good(), body: toBase64Url(random(40)) })).toEqual([
      400,
      'E_BAD_ENVELOPE',
      'wrong_body',
    ])
    expect(await attempt({ ...good(), body: null })).toEqual([
      400,
      'E_BAD_ENVELOPE',
      'body_missing',
    ])
    expect(await attempt({ ...good(), envelope_sig: toBase64Url(random(64)) })).toEqual([
      400,
      'E_BAD_ENVELOPE',
      'bad_envelope_signature',
    ])
    expect((await alice.submit(room, good())).status).toBe(200)
  })

  it('refuses what another device sealed, and another room or type than the path says', async () => {
    const room = await roomOfTwo()
    const state = await alice.state(room)
    const stolen = await bob.submit(room, alice.sealMessage(room, state, 'mine'))
    expect(refusal(stolen)).toEqual([400, 'E_BAD_ENVELOPE', 'not_yours'])
    const message = alice.sealMessage(room, state, 'x')
    const send = (roomId: string, eventType: string) =>
      alice.call('send', { params: { roomId, eventType, txnId: newTxn() }, body: message })
    expect(refusal(await send(await alice.createRoom(), 'e.message'))[2]).toBe('wrong_room')
    expect(refusal(await send(room, 'e.other'))[2]).toBe('wrong_type')
  })

  it('refuses a message larger than an envelope may be', async () => {
    const room = await roomOfTwo()
    const message = alice.sealMessage(room, await alice.state(room), 'x')
    const body = toBase64Url(random(72 * 1024))
    const answer = await alice.submit(room, { ...message, body })
    expect([
      answer.status,
      ['M_TOO_LARGE', 'E_BAD_ENVELOPE'].includes(answer.body.errcode ?? ''),
    ]).toEqual([expect.any(Number), true])
    expect(answer.status).toBeLessThan(500)
  })

  it('refuses a roster made by a device and messages of those who are not in', async () => {
    const room = await alice.createRoom([invite(bob)])
    const state = await alice.state(room)
    const early = await bob.submit(room, bob.sealMessage(room, state, 'not yet'))
    expect(refusal(early)).toEqual([403, 'E_UNAUTHORIZED_EVENT', 'not_joined'])
  })
})

describe('wraps', () => {
  it('reach the device they are for, and no other', async () => {
    const room = await roomOfTwo()
    const second = await signIn(bob)
    await letIn(bob, second)
    const { next } = await bob.sync()
    const secondStart = await second.sync()
    const wraps = [
      fakeWrap({ member: bob.member, device: bob.id }),
      fakeWrap({ member: bob.member, device: second.id }),
    ]
    await alice.say(room, 'hello', wraps)
    const timeline = async (device: TestDevice, since: string) =>
      (await device.sync(since)).rooms[room]?.timeline
    expect((await timeline(bob, next))?.map(({ wrap }) => wrap)).toEqual([wraps[0]])
    expect((await timeline(second, secondStart.next))?.map(({ wrap }) => wrap)).toEqual([wraps[1]])
  })

  it('stay until the device’s position has passed them', async () => {
    const room = await roomOfTwo()
    const { next } = await bob.sync()
    const wrap = fakeWrap({ member: bob.member, device: bob.id })
    await alice.say(room, 'hello', [wrap])
    const first = await bob.sync(next)
    await node.context.acks.flush()
    expect(await bob.sync(next)).toEqual(first)
    await bob.sync(first.next)
    await node.context.acks.flush()
    const { events } = await bob.ok('messages', {
      params: { roomId: room },
      query: { before: 'b999999', limit: 1 },
    })
    expect(events[0]?.pdu.envelope.type).toBe('e.message')
    expect(events[0]?.wrap).toBeUndefined()
  })

  it('are refused for strangers, for unknown devices, twice, and beside a clear body', async () => {
    const room = await roomOfTwo()
    const toBob = { member: bob.member, device: bob.id }
    const attempt = async (wraps: ReturnType<typeof fakeWrap>[]) =>
      refusal(
        await alice.submit(room, alice.sealMessage(room, await alice.state(room), 'x', wraps)),
      )
    const rule = (name: string) => [400, 'E_BAD_ENVELOPE', name]
    expect(await attempt([fakeWrap({ member: carol.member, device: carol.id })])).toEqual(
      rule('wrap_recipient'),
    )
    expect(await attempt([fakeWrap({ ...toBob, device: carol.id })])).toEqual(
      rule('wrap_recipient'),
    )
    expect(await attempt([fakeWrap(toBob), fakeWrap(toBob)])).toEqual(rule('wrap_repeated'))
    const name = alice.sealState(room, await alice.state(room), nameBody('n'))
    const clear = await alice.submit(room, { ...name, wraps: [fakeWrap(toBob)] })
    expect(refusal(clear)).toEqual(rule('unexpected_wraps'))
  })
})

describe('redaction', () => {
  it('drops the body for good and keeps what was signed', async () => {
    const room = await roomOfTwo()
    const sent = await alice.say(room, 'regretted')
    const redaction = alice.sealRedaction(room, await alice.state(room), sent.envelope_id)
    expect((await alice.submit(room, redaction)).status).toBe(200)
    const { events } = await bob.ok('messages', {
      params: { roomId: room },
      query: { before: 'b999999' },
    })
    const redacted = events.find(({ pdu }) => pdu.event.envelope_id === sent.envelope_id)
    expect(redacted?.pdu.body).toBeNull()
    const decoded = decodePdu(crypto, redacted?.pdu as unknown as Json)
    expect(decoded.ok && decoded.event.id).toBe(sent.event_id)
  })

  it('is refused for others’ messages without the power, for unknown targets and for state', async () => {
    const room = await roomOfTwo()
    const sent = await alice.say(room, 'mine')
    const attempt = async (target: string) =>
      refusal(await bob.submit(room, bob.sealRedaction(room, await bob.state(room), target)))
    expect(await attempt(sent.envelope_id)).toEqual([403, 'E_UNAUTHORIZED_EVENT', 'power_too_low'])
    expect(await attempt('A'.repeat(43))).toEqual([403, 'E_UNAUTHORIZED_EVENT', 'unknown_target'])
    const state = await alice.state(room)
    const power = stateEvents(state).find((event) => event.header.type === 'e.room.power')
    const body = alice.sealRedaction(room, state, power?.envelopeId ?? '')
    expect(refusal(await alice.submit(room, body))).toEqual([
      403,
      'E_UNAUTHORIZED_EVENT',
      'not_redactable',
    ])
  })
})

describe('the stored graph', () => {
  it('resolves to the state that is stored as current', async () => {
    const room = await roomOfTwo()
    await alice.setState(room, nameBody('A name'))
    await letIn(bob, await signIn(bob))
    await alice.say(room, 'hi')
    await bob.setState(room, leave(bob))
    await alice.setState(room, invite(carol))
    await node.context.storage.read(async (tx) => {
      const current = await node.context.roomStates.current(tx, room)
      if (current === undefined) throw new Error('no room')
      const resolved = await node.context.roomStates.resolve(tx, room, current.extremities)
      expect(sameState(resolved, current.state)).toBe(true)
      const stored = await tx.events.latest(
        room,
        [{ from: 0, to: Number.MAX_SAFE_INTEGER }],
        Number.MAX_SAFE_INTEGER,
        1000,
      )
      const events = new Map<string, RoomEvent>()
      for (const row of stored) {
        const decoded = decodePdu(crypto, {
          ...(JSON.parse(row.pdu) as Record<string, Json>),
          body: row.body,
        })
        if (decoded.ok) events.set(decoded.event.id, decoded.event)
      }
      const graph = createRoomGraph({ getEvent: (id) => events.get(id) })
      expect(sameState(graph.resolve(current.extremities), current.state)).toBe(true)
    })
  })
})
