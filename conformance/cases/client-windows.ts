/** Sync of what is looked at, and sync as a stream: parts that a node may leave out. */
import { strict as assert } from 'node:assert'
import { WebSocket } from 'ws'
import { streamNewsSchema, syncStream } from '../../src-shared/api/index.ts'
import type { StreamAsk, SyncResponse } from '../../src-shared/api/index.ts'
import { inviteBody } from '../../src-shared/protocol/index.ts'
import type { Case } from '../case.ts'
import { fakeWrap } from '../device.ts'
import type { TestDevice } from '../device.ts'
import { Follower } from '../follower.ts'
import { expectError, pairOf } from '../setting.ts'

class Stream {
  readonly #socket: WebSocket
  readonly #news: SyncResponse[] = []
  #faults: string[] = []
  #wake: () => void = () => undefined
  closed: number | null = null

  constructor({ url, token }: TestDevice) {
    const at = `${url.replace(/^http/, 'ws')}${syncStream.path}`
    const headers = { authorization: `Bearer ${token}` }
    this.#socket = new WebSocket(at, [syncStream.subprotocol], { headers })
    this.#socket.on('message', (data: Buffer) => {
      const parsed = streamNewsSchema.safeParse(JSON.parse(data.toString()))
      if (!parsed.success) this.#faults.push('a frame that is not of 9.9')
      else if (parsed.data.type === 'news') this.#news.push(parsed.data.sync)
      this.#wake()
    })
    this.#socket.on('close', (code) => {
      this.closed = code
      this.#wake()
    })
    this.#socket.on('error', () => this.#wake())
  }

  async open(ask: StreamAsk): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#socket.once('open', resolve)
      this.#socket.once('error', reject)
    })
    this.say(ask)
  }

  say(ask: StreamAsk): void {
    this.#socket.send(JSON.stringify(ask))
  }

  async next(): Promise<SyncResponse> {
    for (;;) {
      const one = this.#news.shift()
      assert.deepEqual(this.#faults, [])
      if (one !== undefined) return one
      assert.equal(this.closed, null, 'the stream ended')
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  async end(): Promise<number | null> {
    while (this.closed === null) await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.closed
  }

  close(): void {
    this.#socket.terminate()
  }
}

export const clientWindows: readonly Case[] = [
  {
    name: 'tells the rooms in a window whole, and of others no more than a line',
    section: '9.8',
    feature: 'sync_windows',
    async run(setting) {
      const alice = await setting.regular('alice')
      const owner = await setting.newcomer('windows')
      const [quiet, busy] = [await setting.room(alice, [owner]), await setting.room(alice, [owner])]
      await alice.say(busy, 'latest')
      const look = { lists: { all: { ranges: [[0, 0] as [number, number]], timeline: 3 } } }
      const ask = (body: object) => owner.ok('syncWindows', { body: { ...look, ...body } })
      const first = await ask({})
      assert.deepEqual(Object.keys(first.rooms), [busy])
      assert.equal(first.lists?.['all']?.count, 2)
      assert.ok((first.rooms[busy]?.state?.length ?? 0) > 0)
      assert.ok((first.rooms[busy]?.timeline.length ?? 9) <= 3)
      const second = await ask({ since: first.next })
      const invited = await alice.createRoom([inviteBody(owner.member, owner.userId)])
      await alice.say(busy, 'again')
      const third = await ask({ since: second.next })
      assert.equal(third.rooms[invited]?.membership, 'invite', 'an invitation is never left out')
      await alice.say(quiet, 'now this one')
      let told = third
      const seen = new Set<string>()
      for (let turn = 0; turn < 5; turn++) {
        told = await ask({ since: told.next })
        for (const room of Object.keys(told.rooms)) seen.add(room)
        for (const room of Object.keys(told.summaries ?? {})) seen.add(room)
      }
      assert.ok(seen.has(quiet), 'a room in which something happened is told')
    },
  },
  {
    name: 'tells who looks at a room that somebody writes there, and no stranger',
    section: '9.11',
    feature: 'typing',
    async run(setting) {
      const alice = await setting.regular('alice')
      const owner = await setting.newcomer('writing')
      const stranger = await setting.newcomer('elsewhere')
      const room = await setting.room(alice, [owner])
      const ask = (who: TestDevice, more: object = {}) =>
        who.ok('syncWindows', { body: { rooms: {}, typing: [room], ...more } })
      const { next } = await ask(owner)
      const waiting = ask(owner, { since: next, timeout: 20_000 })
      await alice.ok('typing', { params: { roomId: room }, body: { timeout: 10_000 } })
      assert.deepEqual((await waiting).typing, { [room]: [alice.member] })
      assert.equal((await ask(stranger)).typing?.[room], undefined)
      const theirs = { params: { roomId: room }, body: { timeout: 1_000 } }
      expectError(await stranger.call('typing', theirs), 404, 'M_NOT_FOUND')
      const shadow = await alice.createRoom([], { visibility: 'shadow' })
      const hidden = { params: { roomId: shadow }, body: { timeout: 1_000 } }
      expectError(await alice.call('typing', hidden), 403, 'M_FORBIDDEN')
    },
  },
  {
    name: 'streams what is new, and tells again what was not said to be stored',
    section: '9.9',
    feature: 'websocket',
    async run(setting) {
      const alice = await setting.regular('alice')
      const owner = await setting.newcomer('stream')
      const room = await setting.room(alice, [owner])
      const { position = '' } = await setting.follow(owner)
      const wrap = fakeWrap(pairOf(owner))
      const stream = new Stream(owner)
      await stream.open({ type: 'start', since: position })
      await stream.next()
      const said = await alice.say(room, 'by stream', [wrap])
      const follower = new Follower(owner)
      while (follower.seen(said.envelope_id) === undefined) follower.take(await stream.next())
      stream.close()
      const again = new Stream(owner)
      await again.open({ type: 'start', since: position })
      const anew = new Follower(owner)
      while (anew.seen(said.envelope_id) === undefined) anew.take(await again.next())
      assert.deepEqual(anew.seen(said.envelope_id)?.wraps, [wrap])
      again.say({ type: 'stored', position: anew.position ?? '' })
      const taking = new Stream(owner)
      await taking.open({ type: 'start', since: anew.position ?? '' })
      assert.equal(await again.end(), 4430, 'a device has one stream')
      const after = await alice.say(room, 'goes on')
      const rest = new Follower(owner)
      while (rest.seen(after.envelope_id) === undefined) rest.take(await taking.next())
      assert.equal(rest.seen(said.envelope_id), undefined, 'what was stored is told again')
      taking.close()
    },
  },
]
