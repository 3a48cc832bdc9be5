import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { takeDatabase } from '../testing/database.ts'
import { openStorage } from './index.ts'
import type { Account, Device, NewEventRow, Storage, Tx } from './index.ts'

let folder: string
let database: string | null
let storage: Storage
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eccp-storage-'))
  database = await takeDatabase()
  storage = await openStorage({ folder, serverName: 'node.test', database })
})
afterAll(async () => {
  await storage.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Every function of every repository that a test has called. */
const called = new Set<string>()
const every = new Set<string>()

function watched(tx: Tx): Tx {
  const entries = Object.entries(tx).map(([name, repository]: [string, object]) => {
    for (const key of Object.getOwnPropertyNames(Object.getPrototypeOf(repository)))
      if (key !== 'constructor') every.add(`${name}.${key}`)
    const proxy = new Proxy(repository, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key)
        if (typeof value !== 'function') return value
        called.add(`${name}.${String(key)}`)
        return value.bind(target) as unknown
      },
    })
    return [name, proxy]
  })
  return Object.fromEntries(entries) as unknown as Tx
}

const write = <T>(work: (tx: Tx) => Promise<T>): Promise<T> =>
  storage.write((tx) => work(watched(tx)))
const read = <T>(work: (tx: Tx) => Promise<T>): Promise<T> =>
  storage.read((tx) => work(watched(tx)))

const account = (member: string, more: Partial<Account> = {}): Account => ({
  member,
  name: `name-${member}`,
  user_id: `@name-${member}:node.test`,
  password_hash: 'p',
  display_name: '',
  admin: 0,
  created_at: 1_900_000_000_000,
  head: 'h0',
  height: 0,
  feed_floor: 0,
  ...more,
})

const device = (member: string, id: string, more: Partial<Device> = {}): Device => ({
  member,
  device: id,
  keys: '{}',
  name: null,
  status: 'active',
  requested_at: null,
  last_seen: null,
  acked: 0,
  baseline: 0,
  ...more,
})

const event = (id: string, room: string, pos: number, more: Partial<NewEventRow> = {}) => ({
  event_id: id,
  room_id: room,
  pos,
  envelope_id: `envelope-${id}`,
  type: 'e.message',
  state_key: null,
  membership: null,
  member: 'm',
  device: 'd',
  seq: pos,
  origin: 'node.test',
  origin_ts: 1_900_000_000_000,
  pdu: '{}',
  body: 'body',
  redacted_by: null,
  rejected: 0,
  expires_at: null,
  ...more,
})

describe('what is stored reads back', () => {
  it('accounts and registration tokens', async () => {
    await write(async ({ accounts }) => {
      await accounts.insert(account('acc-1'))
      await accounts.insert(account('acc-2', { admin: 1 }))
      expect(await accounts.hasAdmin()).toBe(true)
      await accounts.setDisplayName('acc-1', 'Ünï\0cødé \u{1f600}')
      expect(await accounts.moveHead('acc-1', 'h0', 'h1', 1)).toBe(true)
      expect(await accounts.moveHead('acc-1', 'h0', 'h2', 1)).toBe(false)
      await accounts.raiseFeedFloor('acc-1', 7)
      await accounts.raiseFeedFloor('acc-1', 3)
    })
    await read(async ({ accounts }) => {
      const stored = account('acc-1', {
        display_name: 'Ünï\0cødé \u{1f600}',
        head: 'h1',
        height: 1,
        feed_floor: 7,
      })
      expect(await accounts.byMember('acc-1')).toEqual(stored)
      expect(await accounts.byName('name-acc-1')).toEqual(stored)
      expect(await accounts.byMembers(['acc-1', 'acc-2', 'acc-3'])).toHaveLength(2)
      expect(await accounts.byMember('acc-3')).toBeUndefined()
    })
    await write(async ({ accounts }) => {
      const token = { name: null, uses_left: 2, admin: 0, created_at: 1 }
      await accounts.putRegistrationToken({ token_hash: 't1', ...token })
      await accounts.putRegistrationToken({ token_hash: 't2', ...token, name: 'root' })
      expect(await accounts.useRegistrationToken('t1', 'a')).toMatchObject({ uses_left: 2 })
      expect(await accounts.useRegistrationToken('t1', 'b')).toMatchObject({ uses_left: 1 })
      expect(await accounts.useRegistrationToken('t1', 'c')).toBeUndefined()
      expect(await accounts.useRegistrationToken('t2', 'other')).toBeUndefined()
      await accounts.dropRegistrationTokensFor('root')
      expect(await accounts.useRegistrationToken('t2', 'root')).toBeUndefined()
    })
  })

  it('devices, their tokens and pairings', async () => {
    await write(async ({ accounts, devices }) => {
      await accounts.insert(account('dev'))
      await devices.insert(device('dev', 'd1', { last_seen: 50, acked: 9 }))
      await devices.insert(device('dev', 'd2', { last_seen: 60, acked: 4 }))
      await devices.insert(device('dev', 'd3', { status: 'pending', requested_at: 10 }))
      await devices.update('dev', 'd1', { name: 'phone', acked: 11 })
      const token = { member: 'dev', device: 'd1', created_at: 1 }
      await devices.putToken({ token_hash: 'keeps', ...token, expires_at: null })
      await devices.putToken({ token_hash: 'ends', ...token, expires_at: 100 })
      await devices.putToken({ token_hash: 'ended', ...token, expires_at: 20 })
    })
    await read(async ({ devices }) => {
      expect(await devices.get('dev', 'd1')).toMatchObject({ name: 'phone', acked: 11 })
      expect(await devices.list('dev')).toHaveLength(3)
      expect((await devices.active(['dev'])).map((row) => row.device).sort()).toEqual(['d1', 'd2'])
      expect(await devices.pendingSince(11)).toMatchObject([{ device: 'd3' }])
      expect(await devices.storedByAll(40)).toEqual([{ member: 'dev', acked: 4 }])
      expect(await devices.byToken('keeps', 1e9)).toMatchObject({
        device: 'd1',
        user_id: '@name-dev:node.test',
      })
      expect(await devices.byToken('ended', 50)).toBeUndefined()
    })
    await write(async ({ devices }) => {
      await devices.dropExpiredTokens(50)
      expect(await devices.byToken('ended', 1)).toBeUndefined()
      await devices.dropToken('ends')
      expect(await devices.byToken('ends', 1)).toBeUndefined()
      const step = { member: 'dev', device: 'd3', stored_at: 1 }
      await devices.putPairing({ ...step, step: 'start', message: 'a' })
      await devices.putPairing({ ...step, step: 'start', message: 'b' })
      await devices.putPairing({ ...step, step: 'answer', message: 'c' })
      expect((await devices.pairings('dev')).map((row) => row.message).sort()).toEqual(['b', 'c'])
      await devices.dropPairing('dev', 'd3', ['answer'])
      expect(await devices.pairings('dev')).toHaveLength(1)
      await devices.dropPairing('dev', 'd3')
      expect(await devices.pairings('dev')).toEqual([])
      await devices.dropTokens('dev', 'd1')
      expect(await devices.byToken('keeps', 1)).toBeUndefined()
      await devices.delete('dev', 'd2')
      expect(await devices.get('dev', 'd2')).toBeUndefined()
    })
  })

  it('manifests', async () => {
    const signed = (kind: string) => `{"entry":{"kind":"${kind}"},"signatures":{"by":"x"}}`
    await write(async ({ manifests }) => {
      await manifests.append('man', 0, 'g', signed('genesis'), 1_900_000_000_000)
      expect(await manifests.firstSights('man')).toEqual(new Map([['g', 1_900_000_000_000]]))
      await manifests.sightedBy(1_800_000_000_000)
      expect(await manifests.firstSights('man')).toEqual(new Map([['g', 1_800_000_000_000]]))
      expect(await manifests.genesisHash('man')).toBe('g')
      expect(await manifests.genesisHash('nobody')).toBeUndefined()
      await expect(manifests.entries('man')).rejects.toMatchObject({ code: 'corrupted' })
    })
    expect(await read(({ manifests }) => manifests.entries('man', 1))).toEqual([])
  })

  it('prekeys, each handed out once', async () => {
    const key = { member: 'pre', device: 'd', stored_at: 5 }
    await write(async ({ prekeys }) => {
      await prekeys.replace({ ...key, kind: 'signed', prekey_id: '1', prekey: 'old' })
      await prekeys.replace({ ...key, kind: 'signed', prekey_id: '2', prekey: 'new' })
      expect(await prekeys.current('pre', 'd', 'signed')).toBe('new')
      const one = { ...key, kind: 'one_time' as const }
      await prekeys.add([
        { ...one, prekey_id: 'a', prekey: 'A' },
        { ...one, prekey_id: 'b', prekey: 'B', stored_at: 4 },
      ])
      await prekeys.add([{ ...one, prekey_id: 'a', prekey: 'again' }])
      expect(await prekeys.oneTimeStock('pre', 'd')).toBe(2)
      expect(await prekeys.claim('pre', 'd')).toBe('B')
      expect(await prekeys.claim('pre', 'd')).toBe('A')
      expect(await prekeys.claim('pre', 'd')).toBeUndefined()
      await prekeys.add([{ ...one, prekey_id: 'a', prekey: 'back' }])
      expect(await prekeys.claim('pre', 'd')).toBeUndefined()
      await prekeys.forgetClaimed(6)
      await prekeys.add([{ ...one, prekey_id: 'a', prekey: 'back' }])
      expect(await prekeys.oneTimeStock('pre', 'd')).toBe(1)
      await prekeys.useUp()
      expect(await prekeys.claim('pre', 'd')).toBeUndefined()
      await prekeys.add([{ ...one, prekey_id: 'a', prekey: 'back' }])
      expect(await prekeys.oneTimeStock('pre', 'd')).toBe(0)
      await prekeys.drop('pre', 'd')
      expect(await prekeys.current('pre', 'd', 'signed')).toBeUndefined()
    })
  })

  it('rooms, their state over time and who is in them', async () => {
    const row = { opaque: 'o', visibility: 'private', created_at: 1 }
    await write(async ({ rooms }) => {
      await rooms.insert({ room_id: '!r1', ...row })
      expect(await rooms.get('!r1')).toEqual({ room_id: '!r1', restated_at: 0, ...row })
      await rooms.restate('!r1', 8)
      expect(await rooms.get('!r1')).toMatchObject({ restated_at: 8 })
      const name = { type: 'e.room.name', state_key: 'ke\0y' }
      await rooms.changeState('!r1', 3, [{ ...name, event_id: '$a' }])
      await rooms.changeState('!r1', 5, [{ ...name, event_id: '$b' }])
      await rooms.changeState('!r1', 6, [{ type: 't', state_key: '', event_id: '$c' }])
      expect((await rooms.currentState('!r1')).sort()).toEqual(['$b', '$c'])
      expect(await rooms.stateAt('!r1', 4)).toEqual(['$a'])
      expect((await rooms.stateAt('!r1', 6)).sort()).toEqual(['$b', '$c'])
      await rooms.changeState('!r1', 7, [
        { type: 'e.room.roster', state_key: 'one', event_id: '$one' },
        { type: 'e.room.roster', state_key: 'two', event_id: '$two' },
      ])
      expect((await rooms.stateAt('!r1', 7, ['two'])).sort()).toEqual(['$b', '$c', '$two'])
      expect((await rooms.membersChangedAt('!r1', 7)).sort()).toEqual(['one', 'two'])
      expect(await rooms.membersChangedAt('!r1', 6)).toEqual([])
      const changes = await rooms.history('!r1', 'e.room.name', 'ke\0y')
      expect(changes.map(({ pos, event_id }) => [pos, event_id])).toEqual([
        [3, '$a'],
        [5, '$b'],
      ])
      const is = (room: string, member: string, server: string, local: 0 | 1) =>
        rooms.setMembership({
          room_id: room,
          member,
          membership: 'join',
          user_id: `@${member}:${server}`,
          local,
          server,
          event_id: '$x',
          pos: 1,
        })
      await is('!r1', 'one', 'node.test', 1)
      await is('!r1', 'two', 'node.test', 1)
      await is('!r1', 'far', 'far.test', 0)
      expect(await rooms.membership('!r1', 'far')).toMatchObject({ server: 'far.test', local: 0 })
      expect((await rooms.localMembers('!r1', ['join'])).sort()).toEqual(['one', 'two'])
      expect((await rooms.servers('!r1', ['join'])).sort()).toEqual(['far.test', 'node.test'])
      expect(await rooms.residents('!r1')).toEqual(['far.test'])
      expect(await rooms.membersOf('!r1', 'far.test')).toHaveLength(1)
      expect(await rooms.serversAround('one')).toEqual(['far.test'])
      expect(await rooms.localPeers('one')).toEqual(['two'])
      expect(await rooms.ofServer('far.test', ['join'], '', 9)).toEqual(['!r1'])
      expect(await rooms.ofServer('far.test', ['join'], '!r1', 9)).toEqual([])
      expect(await rooms.ofServer('far.test', ['invite'], '', 9)).toEqual([])
      expect((await rooms.localMembersAround('far.test')).sort()).toEqual(['one', 'two'])
      expect(await rooms.countMembers('!r1', 'join')).toBe(3)
      await is('!r0', 'one', 'node.test', 1)
      await is('!r2', 'one', 'node.test', 1)
      await rooms.moveUp('!r2', 9)
      expect(await rooms.countListed('one', ['join'])).toBe(3)
      const listed = async (first: number, last: number) =>
        (await rooms.listed('one', ['join'], first, last)).map(({ room_id }) => room_id)
      expect(await listed(0, 2)).toEqual(['!r2', '!r1', '!r0'])
      expect(await listed(1, 1)).toEqual(['!r1'])
    })
  })

  it('rooms of a member in the order of their bytes', async () => {
    const ids = ['!a', '!B', '!_', '!-', '!é', '!Z', '!z', '!1', '!\u{1f600}', '!a\0', '!a-', '!aB']
    const bytewise = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    await write(async ({ rooms }) => {
      for (const room_id of ids)
        await rooms.setMembership({
          room_id,
          member: 'ordered',
          membership: 'join',
          user_id: '@o:node.test',
          local: 1,
          server: 'node.test',
          event_id: '$x',
          pos: 1,
        })
      const all = await rooms.ofMember('ordered', ['join'])
      expect(all.map((row) => row.room_id)).toEqual(bytewise)
      const [first] = await rooms.ofMember('ordered', ['join'], bytewise[4], 1)
      expect(first?.room_id).toBe(bytewise[5])
    })
  })

  it('events and their graph', async () => {
    await write(async ({ events }) => {
      await events.insert(event('$1', '!ev', 10), { prev: [], auth: [] })
      await events.insert(event('$2', '!ev', 11), { prev: ['$1'], auth: ['$1'] })
      await events.insert(event('$3', '!ev', 12), { prev: ['$1'], auth: [] })
      await events.insert(event('$bad', '!ev', 13, { rejected: 1 }), { prev: ['$3'], auth: [] })
      expect(await events.extremities('!ev')).toEqual(['$2', '$3'])
      expect(await events.byIds(['$1', '$nothing'])).toMatchObject([
        { event_id: '$1', soft_failed: 0, sole: 0, pos: 10, device: 'd' },
      ])
      expect(await events.byEnvelope('!ev', 'envelope-$2')).toMatchObject({ event_id: '$2' })
      expect(await events.byEnvelope('!ev', 'envelope-$bad')).toBeUndefined()
      // What was rejected counts for nothing.
      expect(await events.lastSeq('!ev', 'm', 'd')).toBe(12)
      expect(await events.lastSeq('!ev', 'm', 'other')).toBeNull()
      expect(await events.known(['$1', '$bad', '$no'])).toEqual(new Set(['$1', '$bad']))
      expect([await events.count('!ev'), await events.count('!none')]).toEqual([4, 0])
      expect(await events.hasOrigin('!ev', 'node.test', 10)).toBe(true)
      expect(await events.hasOrigin('!ev', 'node.test', 9)).toBe(false)
      expect(await events.hasOrigin('!ev', 'far.test', 99)).toBe(false)
      const names = (rows: readonly { event_id: string }[]) => rows.map((row) => row.event_id)
      const spans = [
        { from: 0, to: 10 },
        { from: 12, to: 99 },
      ]
      expect(names(await events.latest('!ev', spans, 99, 5))).toEqual(['$3', '$1'])
      expect(names(await events.earliest('!ev', spans, 10, 5))).toEqual(['$1', '$3'])
      expect(await events.spokeBetween('!ev', 'm', 11, 12)).toBe(true)
      expect(await events.spokeBetween('!ev', 'm', 13, 99)).toBe(false)
      await events.mark('$3', { soft_failed: 1, sole: 1 })
      expect(names(await events.latest('!ev', spans, 99, 5))).toEqual(['$1'])
      expect(names(await events.before('!ev', 12, 2))).toEqual(['$3', '$2'])
      expect(names(await events.between('!ev', 10, 12, 5))).toEqual(['$2', '$3'])
      expect(await events.graphBefore('!ev', 11, 5)).toEqual([
        { event_id: '$2', pos: 11, rejected: 0, parents: ['$1'] },
        { event_id: '$1', pos: 10, rejected: 0, parents: [] },
      ])
      await events.redact('$1', '$2')
      expect(await events.byIds(['$1'])).toMatchObject([{ body: null, redacted_by: '$2' }])
      await events.insert(event('$old', '!ev', 14, { expires_at: 5 }), { prev: [], auth: [] })
      await events.expire(5)
      expect(await events.byIds(['$old'])).toMatchObject([{ body: null, expires_at: null }])
      await events.fill('$old', 'again')
      expect(await events.byIds(['$old'])).toMatchObject([{ body: 'again' }])
    })
  })

  it('wraps', async () => {
    const row = (id: string, pos: number, wrap = 'w') => ({
      member: 'wr',
      device: 'd',
      event_id: id,
      pos,
      wrap,
    })
    await write(async ({ wraps }) => {
      await wraps.put([row('$1', 1), row('$2', 2), row('$3', 3)])
      await wraps.putNew([row('$3', 3, 'changed'), row('$4', 4)])
      const left = async () => [...(await wraps.forEvents('wr', 'd', ['$1', '$2', '$3', '$4']))]
      expect(await left()).toHaveLength(4)
      expect(Object.fromEntries(await left())).toMatchObject({ $3: 'w' })
      await wraps.dropBetween('wr', 'd', 1, 2)
      expect(await left()).toHaveLength(3)
      await wraps.dropBefore(1)
      expect(await left()).toHaveLength(2)
      await wraps.drop('wr', 'd')
      expect(await left()).toEqual([])
    })
  })

  it('rooms that windows have shown, and the wraps of what they gave', async () => {
    const shown = { member: 'wi', device: 'd', first_pos: 1, whole: 1 }
    await write(async ({ windowRooms, wraps, events }) => {
      await windowRooms.put({ ...shown, room_id: '!w1', shown_at: 3 })
      await windowRooms.put({ ...shown, room_id: '!w1', shown_at: 4, whole: 0 })
      await windowRooms.put({ ...shown, room_id: '!w2', shown_at: 8 })
      const among = await windowRooms.among('wi', 'd', ['!w1', '!w2', '!w3'], 7)
      expect([...among]).toEqual([['!w1', { ...shown, room_id: '!w1', shown_at: 4, whole: 0 }]])
      const wrap = { member: 'wi', device: 'd', wrap: 'w' }
      for (const [id, room, pos] of [
        ['$w1', '!w1', 5],
        ['$w2', '!w2', 6],
      ] as const) {
        await events.insert(event(id, room, pos), { prev: [], auth: [] })
        await wraps.put([{ ...wrap, event_id: id, pos }])
      }
      await wraps.dropShown('wi', 'd', 0, 99)
      expect([...(await wraps.forEvents('wi', 'd', ['$w1', '$w2']))]).toEqual([['$w2', 'w']])
      const placed = await wraps.placed('wi', 'd', ['$w1', '$w2'])
      expect([...placed].map(([id, { pos }]) => [id, pos])).toEqual([['$w2', 6]])
      expect(await windowRooms.anyAfter('wi', 'd', 7)).toBe(true)
      await windowRooms.dropAfter('wi', 'd', 7)
      expect(await windowRooms.anyAfter('wi', 'd', 7)).toBe(false)
      await windowRooms.put({ ...shown, room_id: '!w3', shown_at: 1 })
      await windowRooms.drop('wi', 'd', ['!w3'])
      expect((await windowRooms.among('wi', 'd', ['!w1', '!w3'], 99)).size).toBe(1)
      await windowRooms.dropAll('wi', 'd')
      expect((await windowRooms.among('wi', 'd', ['!w1', '!w3'], 99)).size).toBe(0)
    })
  })

  it('the process that a device’s sync is at', async () => {
    await write(async ({ windowRooms }) => {
      expect(await windowRooms.processOf('tu', 'd')).toBe(null)
      for (const process of ['one', 'two']) {
        await windowRooms.setProcess('tu', 'd', process)
        expect(await windowRooms.processOf('tu', 'd')).toBe(process)
      }
      expect(await windowRooms.processOf('tu', 'e')).toBe(null)
    })
  })

  it('counts of what was done in a window of time', async () => {
    await write(async ({ counters }) => {
      expect(await counters.count('c', 100, 1000)).toEqual({ taken: 1, until: 1100 })
      expect(await counters.count('c', 100, 1050)).toEqual({ taken: 2, until: 1100 })
      expect(await counters.count('other', 100, 1050)).toEqual({ taken: 1, until: 1150 })
      expect(await counters.count('c', 100, 1100)).toEqual({ taken: 1, until: 1200 })
      await counters.dropEnded(1150)
      expect(await counters.count('c', 100, 1150)).toEqual({ taken: 2, until: 1200 })
      expect((await counters.count('other', 100, 1100)).taken).toBe(1)
    })
    expect((await storage.count('c', 100, 1160)).taken).toBe(3)
  })

  it('messages to devices', async () => {
    const row = { member: 'td', device: 'd', sender_member: 's', sender_user: 'u', message: '{}' }
    await write(async ({ toDevice }) => {
      for (const pos of [1, 2, 3]) await toDevice.put({ ...row, pos, id: `i${pos}` })
      expect(await toDevice.waiting('td', 'd')).toBe(3)
      expect(await toDevice.at('td', 'd', [1, 3])).toHaveLength(2)
      const found = await toDevice.between('td', 'd', 1, 3, 1)
      expect(found).toEqual([{ ...row, pos: 2, id: 'i2' }])
      await toDevice.drop('td', 'd', 2)
      expect(await toDevice.waiting('td', 'd')).toBe(1)
      await toDevice.drop('td', 'd')
      expect(await toDevice.waiting('td', 'd')).toBe(0)
    })
  })

  it('receipts', async () => {
    const row = {
      room_id: '!rc',
      envelope_id: 'e',
      kind: 'read',
      member: 'm',
      device: 'd',
      pos: 77,
      receipt: '{}',
    }
    await write(async ({ receipts }) => {
      expect(await receipts.has(row)).toBe(false)
      await receipts.put(row)
      expect(await receipts.has(row)).toBe(true)
      expect(await receipts.at([77])).toEqual([row])
      expect(await receipts.ofEnvelopes('!rc', ['e'], 77)).toEqual([row])
      expect(await receipts.ofEnvelopes('!rc', ['e'], 76)).toEqual([])
    })
  })

  it('answers already given', async () => {
    const key = { member: 'tx', device: 'd', scope: 's', txn: 't' }
    await write(async ({ txns }) => {
      expect(await txns.find(key)).toBeUndefined()
      await txns.put(key, 'digest', '{}', 10)
      expect(await txns.find(key)).toEqual({ digest: 'digest', answer: '{}' })
      await txns.dropBefore(11)
      expect(await txns.find(key)).toBeUndefined()
    })
  })

  it('positions and feeds', async () => {
    await write(async ({ streams }) => {
      const before = await streams.head()
      const first = await streams.take('account', 'x', null, 1000)
      expect(first).toBeGreaterThan(before)
      await streams.tell(first, [{ member: 'fe' }, { member: 'other' }])
      const second = await streams.append(
        'receipt',
        'y',
        '!r',
        [{ member: 'fe', device: 'd2' }],
        2000,
      )
      expect(streams.woken).toEqual(new Set(['fe', 'other']))
      expect(await streams.head()).toBe(second)
      expect(await streams.positionAt(1500)).toBe(first)
      expect(await streams.positionAt(1)).toBeNull()
      expect(await streams.after('fe', 'd1', 0, 9)).toEqual([
        { pos: first, kind: 'account', room_id: null, ref: 'x' },
      ])
      expect(await streams.after('fe', 'd2', first, 9)).toEqual([
        { pos: second, kind: 'receipt', room_id: '!r', ref: 'y' },
      ])
      await streams.prune('fe', first)
      expect(await streams.after('fe', 'd2', 0, 9)).toHaveLength(1)
    })
  })

  it('what concerns other servers', async () => {
    await write(async ({ federation }) => {
      const key = {
        server: 'far.test',
        key_id: 'k',
        ed25519: 'K',
        since: 1,
        until: null,
        seen_at: 1,
      }
      await federation.putKey(key)
      await federation.putKey({ ...key, ed25519: 'changed', until: 9, seen_at: 9 })
      expect(await federation.keys('far.test')).toEqual([{ ...key, until: 9, seen_at: 9 }])
      const remote = {
        member: 'rem',
        user_id: '@r:far.test',
        head: 'h',
        height: 0,
        display_name: 'R',
        seen_at: 1,
      }
      await federation.putAccount(remote)
      await federation.putAccount({ ...remote, head: 'h2' })
      await federation.putAccount({ ...remote, member: 'rem2', seen_at: 2 })
      expect(await federation.account('rem')).toEqual({ ...remote, head: 'h2' })
      expect(await federation.accounts(['rem', 'rem2', 'no'])).toHaveLength(2)
      expect(await federation.accountNamed('@r:far.test')).toMatchObject({ member: 'rem2' })
      const invite = {
        room_id: '!i',
        member: 'm',
        pos: 1,
        server: 'far.test',
        state: '[]',
        lapsed: '[]',
      }
      await federation.putInvite(invite)
      await federation.putInvite({ ...invite, pos: 2 })
      expect(await federation.invite('!i', 'm')).toEqual({ ...invite, pos: 2 })
      expect(await federation.invitesWaiting('m')).toBe(1)
      await federation.dropInvite('!i', 'm')
      expect(await federation.invite('!i', 'm')).toBeUndefined()
      for (const id of ['x', 'y', 'z'])
        await federation.enqueue('far.test', { id, kind: 'receipt', item: '{}' }, 5)
      expect(federation.outbound).toEqual(new Set(['far.test']))
      expect((await federation.waiting('far.test', 1, 1)).map((row) => row.id)).toEqual(['y'])
      expect(await federation.destinations()).toEqual([{ destination: 'far.test', waiting: 3 }])
      expect(new Set(await federation.met()).has('far.test')).toBe(true)
      await federation.sent('far.test', ['x', 'z'])
      expect((await federation.waiting('far.test', 0, 9)).map((row) => row.seq)).toEqual([2])
      expect(await federation.takeItem('far.test', 'item', 5)).toBe(true)
      expect(await federation.takeItem('far.test', 'item', 6)).toBe(false)
      await federation.forgetItems(6)
      expect(await federation.takeItem('far.test', 'item', 7)).toBe(true)
    })
  })

  it('keys of servers, their own word and that of others', async () => {
    await write(async ({ federation }) => {
      const own = { server: 'kept.test', first_hand: 1, document: '{"own":1}', seen_at: 1 }
      expect(await federation.keyDocument('kept.test')).toBeUndefined()
      await federation.putKeyDocument({ ...own, first_hand: 0, document: '{"heard":1}' })
      expect(await federation.keyDocument('kept.test')).toMatchObject({ first_hand: 0 })
      await federation.putKeyDocument(own)
      await federation.putKeyDocument({ ...own, document: '{"own":2}', seen_at: 2 })
      expect(await federation.keyDocument('kept.test')).toEqual({
        ...own,
        document: '{"own":2}',
        seen_at: 2,
      })
      const key = {
        server: 'gone.test',
        key_id: 'a',
        ed25519: 'A',
        vouched_by: '["far.test"]',
        denied: 0,
        seen_at: 1,
      }
      await federation.putVouchedKey(key)
      await federation.putVouchedKey({ ...key, ed25519: 'changed' })
      await federation.putVouchedKey({ ...key, key_id: 'b' })
      await federation.putKeyDocument({ ...own, server: 'gone.test', first_hand: 0 })
      expect(await federation.vouchedKeys('gone.test')).toEqual([key, { ...key, key_id: 'b' }])
      // `far.test` has keys and no document, `kept.test` has one.
      expect(await federation.undocumented('', 9)).toEqual(['far.test', 'gone.test'])
      expect(await federation.undocumented('far.test', 1)).toEqual(['gone.test'])
      await federation.endVouching('gone.test', ['b'])
      expect(await federation.vouchedKeys('gone.test')).toEqual([
        { ...key, key_id: 'b', denied: 1 },
      ])
      expect(await federation.keyDocument('gone.test')).toBeUndefined()
      expect(await federation.undocumented('far.test', 9)).toEqual([])
      await federation.putVouchedKey({ ...key, server: 'back.test' })
      await federation.endVouching('back.test', [])
      expect(await federation.vouchedKeys('back.test')).toEqual([])
    })
  })

  it('facts about the whole', async () => {
    await write(async ({ facts }) => {
      expect(await facts.get('signing_key')).toBeUndefined()
      await facts.put('signing_key', 'a')
      await facts.put('signing_key', 'b')
      expect(await facts.get('signing_key')).toBe('b')
      await facts.drop('signing_key')
      expect([await facts.get('signing_key'), facts.changed]).toEqual([undefined, true])
      await facts.probe('x')
      await facts.probe('y')
    })
  })

  it('nothing, where nothing is asked for', async () => {
    await write(async (tx) => {
      expect(await tx.accounts.byMembers([])).toEqual([])
      expect(await tx.devices.active([])).toEqual([])
      await tx.devices.dropPairing('m', 'd', [])
      await tx.prekeys.add([])
      await tx.rooms.changeState('!none', 1, [])
      expect(await tx.rooms.stateAt('!none', 1, [])).toEqual([])
      expect(await tx.events.byIds([])).toEqual([])
      expect(await tx.events.known([])).toEqual(new Set())
      expect(await tx.events.latest('!ev', [], 9, 9)).toEqual([])
      expect(await tx.events.earliest('!ev', [], 0, 9)).toEqual([])
      expect(await tx.events.graphBefore('!none', 9, 9)).toEqual([])
      await tx.wraps.put([])
      await tx.wraps.putNew([])
      expect(await tx.wraps.forEvents('m', 'd', [])).toEqual(new Map())
      expect(await tx.wraps.placed('m', 'd', [])).toEqual(new Map())
      expect(await tx.windowRooms.among('m', 'd', [], 9)).toEqual(new Map())
      await tx.windowRooms.drop('m', 'd', [])
      expect(await tx.toDevice.at('m', 'd', [])).toEqual([])
      expect(await tx.receipts.at([])).toEqual([])
      expect(await tx.receipts.ofEnvelopes('!r', [], 9)).toEqual([])
      expect(await tx.federation.accounts([])).toEqual([])
      await tx.federation.sent('far.test', [])
      await tx.streams.tell(1, [])
    })
  })

  it('names that are good once', async () => {
    expect(await storage.takeName('n', 100, 1)).toBe('first')
    expect(await storage.takeName('n', 100, 2)).toBe('again')
    // Over by any clock, and so long after that what is over is looked for again.
    await wait(150)
    expect(await storage.takeName('n', 1_000_000, 900_000)).toBe('first')
  })

  it('one at a time of what is to be done alone', async () => {
    let inner: boolean | undefined
    const outer = await storage.alone('x', async () => {
      inner = await storage.alone('x', async () => undefined)
      expect(await storage.alone('y', async () => undefined)).toBe(true)
    })
    expect([outer, inner]).toEqual([true, false])
    expect(await storage.alone('x', async () => undefined)).toBe(true)
  })
})

it('every function of every repository was called', () => {
  expect(every.size).toBeGreaterThan(80)
  expect([...every].filter((name) => !called.has(name))).toEqual([])
})
