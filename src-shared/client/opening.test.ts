import { describe, expect, it } from 'vitest'
import {
  createGenesis,
  createNobleCrypto,
  formatRoomId,
  manifestEntryHash,
  recoverySecretsFromEntropy,
  toBase64Url,
} from '../protocol/index.ts'
import { accountRecord, SELF } from './account/account-record.ts'
import { manifestRecord, personKey, personRecord } from './devices/contact-records.ts'
import { openAccount, TransportError } from './index.ts'
import { newRoomEntry, RoomList } from './rooms/room-list.ts'
import { Database } from './store/database.ts'
import { MemoryStore } from './testing/memory-store.ts'
import { seededRandom, SimulatedClock } from './testing/simulation.ts'
import type { StoredMessage } from './timeline/stored-item.ts'
import { pageKey, pageRecord } from './timeline/timeline-records.ts'
import { Publisher } from './views/publisher.ts'

const ROOMS = 100
const MESSAGES = 10_000
const PAGE = 50

const crypto = createNobleCrypto()
const random = seededRandom(11)
const secret = (): Uint8Array => random.bytes(32)

/** An account with a long history, as the store would hold it. */
async function history(): Promise<{ store: MemoryStore; rooms: string[] }> {
  const store = new MemoryStore()
  let ids = 0
  const log = (): void => undefined
  const db = new Database({ store, log, newId: () => String(ids++), onFull: log })
  const list = new RoomList(new Publisher(log))
  const device = {
    id: toBase64Url(random.bytes(12)),
    ed25519: secret(),
    x25519: secret(),
    minSuite: 1,
  }
  const recovery = recoverySecretsFromEntropy(crypto, secret())
  const userId = '@ada:a.test'
  const genesis = createGenesis(crypto, { userId, nonce: secret(), device, recovery, bot: false })
  const me = manifestEntryHash(crypto, genesis.entry)
  const other = toBase64Url(secret())
  const rooms = Array.from({ length: ROOMS }, () => formatRoomId(toBase64Url(secret()), 'a.test'))
  await db.step('account', (step) => {
    step.put(accountRecord, SELF, {
      v: 1,
      phase: 'active',
      userId,
      serverName: 'a.test',
      member: me,
      displayName: 'Ada',
      deviceName: 'desk',
      device: {
        id: device.id,
        ed25519: toBase64Url(device.ed25519),
        x25519: toBase64Url(device.x25519),
        minSuite: 1,
      },
      token: 'token',
      attempt: null,
      newRecovery: null,
      signedOut: null,
      readReceipts: false,
    })
    step.put(manifestRecord, me, { v: 1, userId, entries: [genesis], seen: {}, other: null })
    const person = {
      v: 1,
      userId: '@ben:a.test',
      name: 'Ben',
      bot: false,
      changed: null,
      seenDevices: [],
    } as const
    step.put(personRecord, personKey(other), { ...person, seenDevices: [] })
  })
  for (const [at, room] of rooms.entries())
    await db.step('room', async (step) => {
      const pages = MESSAGES / ROOMS / PAGE
      for (let page = 0; page < pages; page++) {
        const items = Array.from({ length: PAGE }, (_, n) => message(other, page * PAGE + n))
        step.put(pageRecord, pageKey(room, page), { v: 1, items })
      }
      const peer = { member: other, userId: '@ben:a.test', name: 'Ben' }
      await list.put(
        step,
        newRoomEntry({
          id: room,
          kind: 'direct',
          visibility: 'private',
          membership: 'join',
          peer,
          lastActivity: at,
          last: pages - 1,
        }),
      )
    })
  return { store, rooms }
}

function message(member: string, n: number): StoredMessage {
  const envelope = toBase64Url(secret())
  return {
    kind: 'message',
    key: envelope,
    envelope,
    member,
    userId: '@ben:a.test',
    device: 'd',
    ts: n,
    text: `message ${String(n)}`,
    protection: { state: 'protected' },
    warnings: [],
    replyTo: null,
    edit: null,
    deleted: false,
    reactions: [],
    delivered: [],
    read: [],
    bridge: null,
    expiresAt: null,
  }
}

describe('opening an account with 100 rooms and 10,000 messages', () => {
  it('reads only what is shown', async () => {
    const { store, rooms } = await history()
    const opened = store.reopen()
    const engine = await openAccount({
      crypto,
      store: opened,
      clock: new SimulatedClock(),
      random,
      log: () => undefined,
      transport: { request: () => Promise.reject(new TransportError('unreachable')) },
    })
    expect(engine.roomList().length).toBe(ROOMS)
    const atOpening = opened.reads
    expect(atOpening).toBeLessThanOrEqual(12)
    const page = await engine.page(rooms[42] ?? '', null, 50)
    expect(page.items.length).toBe(PAGE)
    expect(page.items.at(-1)).toMatchObject({ text: 'message 99', senderName: 'Ben' })
    expect(opened.reads - atOpening).toBeLessThanOrEqual(5)
    const older = await engine.page(rooms[42] ?? '', page.older, 50)
    expect(older.items[0]).toMatchObject({ text: 'message 0' })
    expect(older.older).toBe(null)
    expect(opened.reads).toBeLessThan(20)
    // At work, too: what waits, who is on the list, where the server was left.
    const beforeStart = opened.reads
    engine.start()
    engine.watch(rooms[42] ?? '')
    await expect.poll(() => engine.view().connection.state).toBe('offline')
    expect(opened.reads - beforeStart).toBeLessThanOrEqual(12)
    await engine.stop()
    expect(store.records.size).toBeGreaterThan(200)
  })
})
