import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  fromUtf8,
  makeEvent,
  sealClearEnvelope,
  sealRoster,
  stateOf,
  toUtf8,
} from '../src-shared/protocol/index.ts'
import type {
  EnvelopeHeader,
  LocalDevice,
  Pdu,
  RoomEvent,
  Wrap,
} from '../src-shared/protocol/index.ts'
import {
  deviceKeysOf,
  fromBase64Url,
  newDeviceId,
  rosterHash,
  toBase64Url,
} from '../src-shared/protocol/index.ts'
import type { RoomDelta, SyncResponse } from '../src-shared/api/index.ts'
import type { HttpRequest, Transport } from '../src-shared/client/index.ts'
import { stateBundle } from './sync/state-bundle.ts'
import { startNode } from './testing/start-node.ts'
import type { TestNode } from './testing/start-node.ts'
import {
  conversation,
  messages,
  newDevice,
  newUser,
  say,
  texts,
  timeline,
  until,
} from './testing/engine-users.ts'
import type { TestUser } from './testing/engine-users.ts'
import { crypto, random } from '../conformance/device.ts'

/** A man in the middle who is the homeserver: may change what is answered, and reads what is sent. */
class Meddler {
  onAnswer: (path: string, json: Record<string, unknown>) => void = () => undefined
  onRequest: (request: HttpRequest) => void = () => undefined
  /** Whether a request is refused as by a node that sees other members, whatever the real one would say. */
  mismatch: (path: string) => boolean = () => false

  readonly wrap = (real: Transport): Transport => ({
    request: async (request, cancel) => {
      this.onRequest(request)
      if (this.mismatch(request.path))
        return { status: 409, body: toUtf8('{"errcode":"E_ROSTER_MISMATCH","error":""}') }
      const response = await real.request(request, cancel)
      if (response.status !== 200 || response.body.length === 0) return response
      const json = JSON.parse(fromUtf8(response.body)) as Record<string, unknown>
      this.onAnswer(request.path, json)
      return { status: 200, body: toUtf8(JSON.stringify(json)) }
    },
  })

  /** Changes the share of one room in every sync. */
  inRoom(room: string, change: (delta: RoomDelta) => void): void {
    this.onAnswer = (path, json) => {
      if (!path.includes('/sync')) return
      const delta = (json as unknown as SyncResponse).rooms[room]
      if (delta !== undefined) change(delta)
    }
  }
}

vi.setConfig({ testTimeout: 180_000 })

let node: TestNode
let ada: TestUser
let ben: TestUser
let room: string
let server: Meddler
let users: TestUser[]

beforeEach(async () => {
  node = await startNode()
  server = new Meddler()
  ada = await newUser(node, 'ada')
  ben = await newUser(node, 'ben', { transport: server.wrap })
  users = [ada, ben]
  room = await conversation(ada, ben)
  await say(ada, room, 'first')
  await until(async () => (await texts(ben, room)).includes('first'))
})
afterEach(async () => {
  await Promise.all(users.map(({ engine }) => engine.stop()))
  await node.stop()
})

async function refusals(user: TestUser): Promise<string[]> {
  return (await timeline(user, room)).flatMap((item) =>
    item.kind === 'notice' && item.notice.what === 'refused' ? [item.notice.reason] : [],
  )
}

/** What the node knows of the room. */
async function events(): Promise<RoomEvent[]> {
  const current = await node.context.storage.read((tx) => node.context.roomStates.current(tx, room))
  return [...(current?.state.events.values() ?? [])].flatMap((ofType) => [...ofType.values()])
}

/** What the node would tell of the room to somebody new. */
async function bundle(): Promise<readonly Pdu[]> {
  const told = await node.context.storage.read(async (tx) =>
    stateBundle(tx, room, await tx.streams.head(), 'whole'),
  )
  return told.events
}

function pduFor(
  header: EnvelopeHeader,
  body: Uint8Array,
  sig: string | null,
  auth: RoomEvent[],
): Pdu {
  return makeEvent(crypto, {
    envelope: header,
    body,
    sig,
    prevEvents: auth.slice(0, 1).map(({ id }) => id),
    authEvents: auth.slice(0, 4).map(({ id }) => id),
    origin: node.serverName,
    originTs: Date.now(),
    nodeKey: node.context.keys.current,
  }).pdu
}

describe('a homeserver that lies', () => {
  it('shows a replayed event once', async () => {
    const kept: RoomDelta['timeline'] = []
    server.inRoom(room, (delta) => {
      kept.push(...structuredClone(delta.timeline))
      delta.timeline.push(...structuredClone(kept))
    })
    for (const text of ['one', 'two', 'three']) await say(ada, room, text)
    await until(async () => (await texts(ben, room)).includes('three'))
    await say(ada, room, 'four')
    await until(async () => (await texts(ben, room)).includes('four'))
    expect(await texts(ben, room)).toEqual(['first', 'one', 'two', 'three', 'four'])
  })

  it('swaps wraps: the keys are asked for anew, nothing is lost', async () => {
    const wraps: Wrap[] = []
    server.inRoom(room, (delta) => {
      for (const entry of delta.timeline) {
        if (entry.wrap === undefined) continue
        const before = wraps.at(-1)
        wraps.push(entry.wrap)
        if (before !== undefined) entry.wrap = before
      }
    })
    await say(ada, room, 'one')
    await until(async () => (await texts(ben, room)).includes('one'))
    await say(ada, room, 'two')
    await until(async () => (await messages(ben, room)).length === 3)
    server.onAnswer = () => undefined
    await until(async () => (await texts(ben, room)).includes('two'))
    await say(ada, room, 'three')
    await until(async () => (await texts(ben, room)).includes('three'))
    expect(await texts(ben, room)).toEqual(['first', 'one', 'two', 'three'])
  })

  it('withholds a body: said as what it is, and the rest goes on', async () => {
    server.inRoom(room, (delta) => {
      for (const { pdu } of delta.timeline) if (pdu.envelope.type === 'e.message') pdu.body = null
    })
    await say(ada, room, 'hidden')
    await until(async () => (await messages(ben, room)).length === 2)
    server.onAnswer = () => undefined
    await say(ada, room, 'shown')
    await until(async () => (await texts(ben, room)).includes('shown'))
    expect((await messages(ben, room))[1]?.protection).toEqual({
      state: 'unreadable',
      reason: 'withheld_by_server',
    })
  })

  it('says of power, members and creation that they are no more: nobody believes it', async () => {
    const known = await bundle()
    const ids = (await events()).map(({ id }) => id)
    server.inRoom(room, (delta) => {
      delta.state = [...known]
      delta.lapsed = ids
    })
    await say(ada, room, 'second')
    await until(async () => (await texts(ben, room)).includes('second'))
    server.onAnswer = () => undefined
    const [mine, theirs] = await Promise.all([ada, ben].map(({ engine }) => engine.details(room)))
    expect(theirs?.members.map(({ id }) => id)).toEqual(mine?.members.map(({ id }) => id))
    expect(theirs?.members.map(({ role }) => role)).toEqual(mine?.members.map(({ role }) => role))
    await say(ben, room, 'third')
    await until(async () => (await texts(ada, room)).includes('third'))
  })

  it('brings back who was removed by somebody who has gone since, as if to let one send: that is told', async () => {
    const [bea, cleo] = [await newUser(node, 'bea'), await newUser(node, 'cleo')]
    users.push(bea, cleo)
    const others = [ben, bea, cleo]
    const group = await ada.engine.createGroup({
      name: 'Garden',
      topic: '',
      historyVisibility: 'joined',
      invite: others.map(({ engine }) => engine.view().userId),
    })
    room = group.room
    for (const { engine } of others) {
      await until(() => engine.roomList().some(({ id }) => id === room))
      await engine.accept(room)
    }
    const counts = (count: number) => () =>
      [ada, ben].every(({ engine }) =>
        engine.roomList().some(({ id, memberCount }) => id === room && memberCount === count),
      )
    await until(counts(4))
    await ada.engine.setRole(room, bea.engine.account, 'moderator')
    const mayRemove = async () =>
      (await bea.engine.details(room)).members.some(({ can }) => can.remove)
    await until(mayRemove)
    const before = await bundle()
    const joined = (await events()).find(
      ({ header: { type, state_key: key } }) =>
        type === 'e.room.member' && key === cleo.engine.account,
    )
    await bea.engine.removeMember(room, cleo.engine.account, '')
    await until(counts(3))
    await ada.engine.removeMember(room, bea.engine.account, '')
    await until(counts(2))
    const after = await bundle()

    server.mismatch = (path) => path.includes('/send/')
    server.onAnswer = (path, json) => {
      if (path.endsWith('/state')) json['events'] = [...before, ...after, joined?.pdu]
    }
    await say(ben, room, 'to whom?')
    const back = async () =>
      (await timeline(ben, room)).flatMap((item) =>
        item.kind === 'notice' && item.notice.what === 'returned' ? [item.notice.who] : [],
      )
    await until(async () => (await back()).length > 0)
    expect(await back()).toEqual(['CLEO'])
  })

  it('tells the state anew: an older name is believed, and stays until there is another', async () => {
    const shown = () => ben.engine.roomList().find(({ id }) => id === room)?.name
    const old = await bundle()
    const before = shown()
    await ada.engine.rename(room, 'Tea')
    await until(() => shown() === 'Tea')
    server.inRoom(room, (delta) => {
      delta.state = [...old]
    })
    await say(ada, room, 'second')
    await until(async () => (await texts(ben, room)).includes('second'))
    expect(shown()).toBe(before)
    await ada.engine.rename(room, 'Coffee')
    await until(() => shown() === 'Coffee')
    expect(await refusals(ben)).toEqual([])
  })

  it('forges a message, moves one from another room, sends rubbish: each is refused', async () => {
    const ghost: LocalDevice = {
      member: ada.engine.account,
      device: ada.engine.view().device,
      head: ada.engine.account,
      ...keys(),
      minSuite: 1,
    }
    const auth = await events()
    const draft = {
      room,
      seq: 1000,
      prev_own: ada.engine.account,
      type: 'e.redaction',
      ts: Date.now(),
      roster: rosterHash(crypto, []),
    }
    const target = (await messages(ben, room))[0]?.envelope ?? ''
    const forged = sealClearEnvelope({ crypto, local: ghost, draft, content: { target } })
    const other = await ada.engine.createGroup({
      name: 'Elsewhere',
      topic: '',
      invite: [],
      historyVisibility: 'joined',
    })
    await say(ada, other.room, 'meant for the other room')
    await until(async () => (await messages(ada, other.room))[0]?.delivery === 'sent')
    const moved = await node.context.storage.read((tx) =>
      node.context.roomStates.current(tx, other.room),
    )
    let done = false
    server.inRoom(room, (delta) => {
      if (done || !forged.ok) return
      done = true
      const { header, body, sig } = forged.sealed
      delta.timeline.unshift({ pdu: pduFor(header, body, sig, auth) })
      const [elsewhere] = moved?.parents ?? []
      if (elsewhere !== undefined) delta.timeline.unshift({ pdu: elsewhere.pdu })
      const rubbish = structuredClone(delta.timeline.at(-1)?.pdu)
      if (rubbish === undefined) return
      rubbish.envelope = { ...rubbish.envelope, ts: 1 }
      delta.timeline.unshift({ pdu: rubbish })
    })
    await say(ada, room, 'genuine')
    await until(async () => (await texts(ben, room)).includes('genuine'))
    expect([...(await refusals(ben))].sort()).toEqual(['forged', 'malformed', 'reattributed'])
    expect(await texts(ben, room)).toEqual(['first', 'genuine'])
  })

  it('adds a device of its own to a roster: it gets no wrap', async () => {
    const evil = { id: newDeviceId(random), ...keys() }
    const auth = await events()
    const state = stateOf(auth)
    const roster = auth.find(
      ({ header }) => header.type === 'e.room.roster' && header.state_key === ada.engine.account,
    )
    const stated = JSON.parse(fromUtf8(roster?.body ?? new Uint8Array())) as {
      user_id: string
      head: string
      height: number
      devices: { id: string; ed25519: string }[]
    }
    const sealed = sealRoster({
      crypto,
      state,
      node: node.serverName,
      member: ada.engine.account,
      now: Date.now(),
      content: {
        ...stated,
        head: toBase64Url(random(32)),
        height: stated.height + 1,
        devices: [...stated.devices, { id: evil.id, ed25519: toBase64Url(evil.ed25519) }],
      },
    })
    const wrapped = new Set<string>()
    server.onRequest = ({ path, body }) => {
      if (!path.includes('/send/e.message') || body === null) return
      const { wraps = [] } = JSON.parse(fromUtf8(body)) as { wraps?: Wrap[] }
      for (const { device } of wraps) wrapped.add(device)
    }
    let told = false
    server.inRoom(room, (delta) => {
      if (told) return
      told = true
      delta.timeline.unshift({ pdu: pduFor(sealed.header, sealed.body, null, auth) })
    })
    await say(ada, room, 'go on')
    await until(async () => (await texts(ben, room)).includes('go on'))
    expect(told).toBe(true)
    await say(ben, room, 'a secret')
    await until(() => wrapped.size > 0)
    expect([...wrapped]).toEqual([ada.engine.view().device])
  })

  it('rolls a manifest back: a removed device stays removed', async () => {
    const laptop = await newDevice(node, 'ada')
    users.push(laptop)
    await until(() => ada.engine.pairings()[0]?.step === 'compare')
    await ada.engine.answerPairing(laptop.engine.view().device, true)
    await until(() => laptop.engine.view().state === 'ready')
    await until(async () => (await deviceStates(ben)).length === 2)
    const lost = laptop.engine.view().device
    await ada.engine.removeDevice(lost)
    await until(async () => (await deviceStates(ben)).includes('removed'))
    let asked = 0
    server.onAnswer = (path, json) => {
      if (!path.includes('/manifests/')) return
      asked++
      json['entries'] = (json['entries'] as unknown[]).slice(0, 2)
      json['height'] = 1
    }
    await ben.engine.lookUp('ada')
    expect(asked).toBeGreaterThan(0)
    expect((await deviceStates(ben)).sort()).toEqual(['active', 'removed'])
  })

  it('answers a pinned name with another account: the link refuses it', async () => {
    const link = ada.engine.invitationLink()
    const cleo = await newUser(node, 'cleo', { transport: server.wrap })
    users.push(cleo)
    expect(link).toBe(`eccp:invite/@ada:node.test?fp=${ada.engine.account}`)
    expect((await cleo.engine.lookUp(link)).userId).toBe('@ada:node.test')
    const wrong = link.replace(ada.engine.account, ben.engine.account)
    await expect(cleo.engine.lookUp(wrong)).rejects.toMatchObject({ code: 'identity_mismatch' })
  })
})

async function deviceStates(user: TestUser): Promise<string[]> {
  const { members } = await user.engine.details(room)
  const member = members.find(({ id }) => id === ada.engine.account)
  return (member?.devices ?? []).map(({ status }) => status)
}

function keys() {
  const secrets = { id: newDeviceId(random), ed25519: random(32), x25519: random(32), minSuite: 1 }
  const { ed25519, x25519 } = deviceKeysOf(crypto, secrets)
  return {
    ed25519: fromBase64Url(ed25519),
    x25519: fromBase64Url(x25519),
    ed25519Secret: secrets.ed25519,
    x25519Secret: secrets.x25519,
  }
}
