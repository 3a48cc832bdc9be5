/**
 * `npm run bench:sync`: what following an account costs a node, by the number of rooms the account is in. The
 * rooms are seeded through the storage layer, as copies of one real room; the one in which things happen is
 * made and written to through the API, and every answer comes from the node over loopback.
 *
 * usage: npm run bench:sync [-- --rounds N] [--rooms 10,100,1000,10000]
 */
import { parseArgs } from 'node:util'
import { inviteBody, joinBody, toBase64Url } from '../src-shared/protocol/index.ts'
import type { Look } from '../src-shared/api/index.ts'
import type { EventRow, Tx } from '../src-homeserver/storage/index.ts'
import { startNode } from '../src-homeserver/testing/start-node.ts'
import type { TestNode } from '../src-homeserver/testing/start-node.ts'
import { openStreamTo } from '../src-homeserver/testing/stream-client.ts'
import { random, register } from '../conformance/device.ts'
import type { TestDevice } from '../conformance/device.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '60' },
    rooms: { type: 'string', default: '10,100,1000,10000' },
  },
})
const rounds = Number(values.rounds)
const sizes = values.rooms.split(',').map(Number)
if (![rounds, ...sizes].every((number) => Number.isInteger(number) && number > 0)) {
  console.error('usage: npm run bench:sync [-- --rounds N] [--rooms 10,100,1000,10000]')
  process.exit(2)
}

/** Rooms copied in one transaction. */
const BATCH = 250
const top: Look = { lists: { top: { ranges: [[0, 39]], timeline: 20 } } }

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

async function times(work: (round: number) => Promise<number>): Promise<number> {
  const taken: number[] = []
  for (let round = 0; round < rounds; round++) taken.push(await work(round))
  return median(taken.slice(Math.min(3, rounds - 1)))
}

async function roomOf(alice: TestDevice, bob: TestDevice): Promise<string> {
  const room = await alice.createRoom([inviteBody(bob.member, bob.userId)])
  await bob.setState(room, joinBody(bob.member, bob.userId))
  await alice.sayMany(room, 3)
  return room
}

/** The room's events under other ids, in a room of their own. */
async function copyRoom(tx: Tx, rows: readonly EventRow[]): Promise<void> {
  const opaque = toBase64Url(random(32))
  const room = `!${opaque}:node.test`
  await tx.rooms.insert({ room_id: room, opaque, visibility: 'private', created_at: 0 })
  for (const row of rows) {
    const event_id = `$${toBase64Url(random(32))}`
    const pos = await tx.streams.take('event', event_id, room, Date.now())
    const { soft_failed: _, sole: __, ...copied } = row
    await tx.events.insert({ ...copied, event_id, room_id: room, pos }, { prev: [], auth: [] })
    const { type, state_key } = row
    if (state_key !== null) await tx.rooms.changeState(room, pos, [{ type, state_key, event_id }])
    else await tx.rooms.moveUp(room, pos)
    if (type !== 'e.room.member' || state_key === null || row.membership !== 'join') continue
    const account = await tx.accounts.byMember(state_key)
    await tx.rooms.setMembership({
      room_id: room,
      member: state_key,
      membership: 'join',
      user_id: account?.user_id ?? '',
      local: 1,
      server: 'node.test',
      event_id,
      pos,
    })
  }
}

async function seed(node: TestNode, room: string, many: number): Promise<void> {
  const { storage } = node.context
  const rows = await storage.read(async (tx) => {
    const all = (await tx.events.before(room, await tx.streams.head(), 100)).reverse()
    const state = new Set(await tx.rooms.currentState(room))
    const latest = all.findLast(({ state_key }) => state_key === null)
    return all.filter((row) => row === latest || state.has(row.event_id))
  })
  for (let from = 0; from < many; from += BATCH)
    await storage.write(async (tx) => {
      for (let index = from; index < Math.min(many, from + BATCH); index++) await copyRoom(tx, rows)
    })
}

async function measure(rooms: number): Promise<readonly number[]> {
  const node = await startNode({ checkAnswers: false })
  try {
    const alice = await register(node, 'alice')
    const bob = await register(node, 'bob')
    const room = await roomOf(alice, bob)
    await seed(node, room, rooms - 1)
    await alice.say(room, 'on top')

    let through = await bob.ok('syncWindows', { body: top })
    const first = await times(() => timed(() => bob.ok('syncWindows', { body: top })))
    const lookOn = (since: string) => bob.ok('syncWindows', { body: { ...top, since } })
    for (let at = ''; at !== through.next; through = await lookOn(at)) at = through.next
    const { next } = through
    const idleWindows = await times(() => timed(() => lookOn(next)))

    let polled = await bob.sync()
    for (let at = ''; at !== polled.next; polled = await bob.sync(at)) at = polled.next
    const idle = await times(() => timed(() => bob.sync(polled.next)))

    const stream = await openStreamTo(node.url, { token: bob.token })
    stream.say({ type: 'start', ...top, since: next })
    for (let page = await stream.next(); Object.keys(page.rooms).length > 0;)
      page = await stream.next()
    const state = await alice.state(room)
    const sent: number[] = []
    const heard = await times(async (round) => {
      const message = alice.sealMessage(room, state, String(round))
      const start = performance.now()
      const arrival = stream.next().then((page) => {
        stream.say({ type: 'stored', position: page.next })
        if (page.rooms[room]?.timeline.length !== 1) throw new Error('not the one event')
        return performance.now() - start
      })
      const { status } = await alice.submit(room, message)
      sent.push(performance.now() - start)
      if (status !== 200) throw new Error(`not sent: ${String(status)}`)
      return arrival
    })
    stream.socket.terminate()
    return [idle, idleWindows, median(sent), heard, first]
  } finally {
    await node.stop()
  }
}

console.log('Rooms are seeded through the storage layer, as copies of one real room of two people.')
console.log(`Medians of ${String(rounds)}, in ms, client and node in one process on SQLite.\n`)
const heads = [
  'Rooms',
  'idle, long poll',
  'idle, windows',
  'one new event: sent',
  'one new event: heard, stream',
  'start: 40 rooms of the list',
]
console.log(`| ${heads.join(' | ')} |`)
console.log(`| ${heads.map(() => '---:').join(' | ')} |`)
for (const rooms of sizes) {
  const cells = (await measure(rooms)).map((ms) => ms.toFixed(1))
  console.log(`| ${[rooms.toLocaleString('en'), ...cells].join(' | ')} |`)
}
