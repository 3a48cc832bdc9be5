/** A PostgreSQL that has no room for its log: it ends, and until it is back the node has no data. */
import { afterEach, describe, expect, it } from 'vitest'
import { register } from '../conformance/device.ts'
import { until } from './testing/engine-users.ts'
import { keptLog, metricOf } from './testing/kept-log.ts'
import { TestPostgres, findPostgres, queryAt } from './testing/postgresql.ts'
import { SmallDisk, whyNoSmallDisk } from './testing/small-disk.ts'
import { startNode } from './testing/start-node.ts'

const missing = whyNoSmallDisk()
const without = missing === null ? '' : ` (skipped: ${missing})`
const LOG_MIB = 24

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

describe.skipIf(missing !== null)(`a PostgreSQL whose log has no room${without}`, () => {
  it('ends; what was acknowledged is there when it is back, and the node goes on by itself', async () => {
    const found = findPostgres()
    if ('missing' in found) throw new Error(found.missing)
    const disk = new SmallDisk(LOG_MIB)
    ends.push(() => disk.remove())
    const postgres = new TestPostgres({ bin: found.bin, durable: true, log: disk.folder })
    ends.push(() => postgres.stop())
    await postgres.create()
    await postgres.start()
    await postgres.query('create database eccp')
    await postgres.query('create database other')
    const { log, said } = keptLog()
    const node = await startNode({ database: postgres.url('eccp'), world: { log } })
    ends.push(() => node.stop())
    const alice = await register(node, 'alice')
    const room = await alice.createRoom()
    const state = await alice.state(room)
    const { next } = await alice.sync()

    const taken: string[] = []
    const refusals = new Set<string>()
    let stop = false
    const sending = (async () => {
      for (let index = 0; !stop; index++) {
        const body = alice.sealMessage(room, state, `${index}`)
        for (let sent = false; !sent && !stop;) {
          const { status, body: answer } = await alice.submit(room, body, `t${index}`)
          sent = status === 200
          if (sent) taken.push(answer.envelope_id)
          else {
            refusals.add(`${status} ${String((answer as { errcode?: string }).errcode)}`)
            await new Promise((resolve) => setTimeout(resolve, 20))
          }
        }
      }
    })()
    await until(() => taken.length >= 5)

    disk.fill()
    // Something else has much to write down.
    const much = `create table if not exists filler (x text);
      insert into filler select md5(random()::text) from generate_series(1, 20000)`
    await until(async () => {
      await queryAt(postgres.url('other'), much).catch(() => undefined)
      return postgres.ended
    })
    await until(() => refusals.size > 0)
    expect(said('the database is gone').length).toBeGreaterThan(0)
    expect(await metricOf(node, 'eccp_database_up')).toBe(0)
    expect((await alice.call('state', { params: { roomId: room } })).status).toBe(503)

    disk.makeRoom()
    await postgres.start()
    await until(async () => (await metricOf(node, 'eccp_database_up')) === 1)
    const enough = taken.length + 5
    await until(() => taken.length >= enough)
    stop = true
    await sending
    expect(said('the database is back').length).toBeGreaterThan(0)
    const seen: string[] = []
    for (let at = next; ;) {
      const page = await alice.sync(at)
      seen.push(...(page.rooms[room]?.timeline ?? []).map(({ pdu }) => pdu.event.envelope_id))
      if (page.next === at) break
      at = page.next
    }
    // The last may have been taken without an answer.
    expect(seen.slice(0, taken.length)).toEqual(taken)
    expect([...refusals]).toEqual(['503 E_STORAGE_UNAVAILABLE'])
  })
})
