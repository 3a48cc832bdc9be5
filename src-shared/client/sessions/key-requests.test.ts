import { beforeEach, describe, expect, it } from 'vitest'
import { formatRoomId, rosterHash, sealEnvelope, toBase64Url } from '../../protocol/index.ts'
import type { SealedEnvelope } from '../../protocol/index.ts'
import { localDevice } from '../account/account-record.ts'
import { Contacts } from '../devices/contacts.ts'
import { Receipts } from '../receipts/receipts.ts'
import { newRoomEntry, RoomList } from '../rooms/room-list.ts'
import { bench, crypto, Person } from '../testing/bench.ts'
import type { Bench } from '../testing/bench.ts'
import { findContentKey, keepContentKey } from '../timeline/content-keys.ts'
import { MessageReader } from '../timeline/message-reader.ts'
import { sealedKey, sealedRecord } from '../timeline/timeline-records.ts'
import { Timeline } from '../timeline/timeline.ts'
import { KeyRequests } from './key-requests.ts'
import type { ToDevice } from './to-device-queue.ts'

let on: Bench
let ada: Person
let timeline: Timeline
let reader: MessageReader
let requests: KeyRequests
let pushed: ToDevice[]
let room: string
let sealed: SealedEnvelope

beforeEach(async () => {
  on = bench()
  const { ctx, me } = on
  ada = new Person('ada', ctx.random)
  const contacts = new Contacts(ctx)
  on.node.on('manifest', ({ path }) => (path.includes('ada') ? ada : me).answer(path))
  await contacts.refresh(ada.userId, null)
  await contacts.refresh(me.userId, null)
  const rooms = new RoomList(ctx.publish)
  timeline = new Timeline(ctx, rooms)
  reader = new MessageReader(ctx, contacts, rooms, timeline)
  pushed = []
  const toDevice = {
    push: (_step: unknown, messages: readonly ToDevice[]) => {
      pushed.push(...messages)
      return Promise.resolve()
    },
  }
  const receipts = new Receipts(ctx, contacts, timeline)
  requests = new KeyRequests(ctx, { contacts, toDevice, timeline, reader, receipts })
  room = formatRoomId(toBase64Url(ctx.random(32)), 'a.test')
  await ctx.db.step('room', (step) =>
    rooms.put(
      step,
      newRoomEntry({ id: room, kind: 'group', visibility: 'private', membership: 'join' }),
    ),
  )
  const result = sealEnvelope({
    crypto,
    random: ctx.random,
    local: localDevice(ctx.me, me.state.head),
    content: { v: 1, kind: 'text', text: 'a secret' },
    draft: {
      room,
      seq: 0,
      prev_own: null,
      type: 'e.message',
      ts: ctx.clock.now(),
      roster: rosterHash(crypto, []),
    },
  })
  if (!result.ok) throw new RangeError(result.code)
  sealed = result.sealed
})

const keep = (devices?: string[]) =>
  on.ctx.db.step('keep', (step) =>
    keepContentKey(
      step,
      timeline,
      { room, envelope: sealed.id, contentKey: sealed.contentKey },
      devices === undefined ? undefined : { name: 'set', devices },
    ),
  )
const asks = async (who: Person, device = who.device.id) => {
  const { member, userId } = who
  await on.ctx.db.step('ask', (step) =>
    requests.answer(step, { member, userId, device }, room, sealed.id),
  )
  return pushed.map(({ content }) => content.kind)
}

describe('answering those who ask for a key', () => {
  it('answers a device in the recorded set of recipients', async () => {
    await keep([`${ada.member}/${ada.device.id}`])
    expect(await asks(ada)).toEqual(['key_answer'])
    expect(pushed[0]).toMatchObject({
      member: ada.member,
      device: ada.device.id,
      content: { K: toBase64Url(sealed.contentKey) },
    })
  })

  it('is silent towards a device that joined later, even of a recipient', async () => {
    await keep([`${ada.member}/some-other-device`])
    expect(await asks(ada)).toEqual([])
  })

  it('is silent about keys of others’ messages, except towards own devices', async () => {
    await keep()
    expect(await asks(ada)).toEqual([])
    expect(await asks(on.me)).toEqual(['key_answer'])
  })

  it('is silent towards a device that its manifest no longer lists', async () => {
    await keep([`${ada.member}/gone`])
    expect(await asks(ada, 'gone')).toEqual([])
  })

  it('is silent about what it does not have', async () => {
    expect(await asks(on.me)).toEqual([])
  })
})

describe('a key that arrives', () => {
  const wait = () =>
    on.ctx.db.step('wait', async (step) => {
      const base = {
        envelope: sealed.id,
        header: sealed.header,
        userId: on.me.userId,
        originTs: sealed.header.ts,
        warnings: [],
      }
      const since = on.clock.now()
      await timeline.append(step, room, [reader.blank(base, { state: 'waiting_for_key', since })])
      step.put(sealedRecord, sealedKey(sealed.id), {
        v: 1,
        room,
        header: { ...sealed.header },
        body: toBase64Url(sealed.body),
      })
    })
  const take = (key: Uint8Array) =>
    on.ctx.db.step('take', (step) => requests.take(step, room, sealed.id, toBase64Url(key)))

  it('opens the message and is kept', async () => {
    await wait()
    await take(sealed.contentKey)
    expect(await timeline.find(on.ctx.db, room, sealed.id)).toMatchObject({
      text: 'a secret',
      protection: { state: 'protected' },
    })
    expect(await findContentKey(on.ctx.db, timeline, room, sealed.id)).not.toBe(null)
    expect(await on.ctx.db.get(sealedRecord, sealedKey(sealed.id))).toBe(null)
  })

  it('is refused where the envelope commits to another one; the right one still opens it', async () => {
    await wait()
    await take(new Uint8Array(32).fill(7))
    expect(await timeline.find(on.ctx.db, room, sealed.id)).toMatchObject({
      protection: { state: 'waiting_for_key' },
    })
    await take(sealed.contentKey)
    expect((await timeline.find(on.ctx.db, room, sealed.id))?.text).toBe('a secret')
  })

  it('nobody asked for changes nothing', async () => {
    await take(sealed.contentKey)
    expect(await timeline.find(on.ctx.db, room, sealed.id)).toBe(null)
  })
})

describe('a key that does not arrive', () => {
  const minutes = (count: number) => on.clock.advance(count * 60_000)

  it('is asked for again without any news, less and less often, until it is given up', async () => {
    await on.ctx.db.step('wait', async (step) => {
      const base = {
        envelope: sealed.id,
        header: sealed.header,
        userId: ada.userId,
        originTs: sealed.header.ts,
        warnings: [],
      }
      const since = on.clock.now()
      await timeline.append(step, room, [reader.blank(base, { state: 'waiting_for_key', since })])
      const { member, userId, device } = { ...ada, device: ada.device.id }
      await requests.ask(step, { room, envelope: sealed.id, member, userId, device, meant: true })
    })
    expect(pushed).toHaveLength(1)
    requests.worker.start()
    const asked: number[] = []
    for (const span of [1, 1, 1, 1, 4, 8]) {
      await minutes(span)
      asked.push(pushed.length)
    }
    // After 1, 3, 7 and 15 minutes.
    expect(asked).toEqual([2, 2, 3, 3, 4, 5])
    await minutes(24 * 60)
    expect(pushed).toHaveLength(9)
    expect((await timeline.find(on.ctx.db, room, sealed.id))?.protection.state).toBe('unreadable')
  })
})
