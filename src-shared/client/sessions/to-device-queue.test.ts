import { beforeEach, describe, expect, it } from 'vitest'
import { Contacts } from '../devices/contacts.ts'
import { bench, Person } from '../testing/bench.ts'
import type { Bench } from '../testing/bench.ts'
import { Sessions } from './sessions.ts'
import { ToDeviceQueue } from './to-device-queue.ts'

let on: Bench
let ada: Person
let queue: ToDeviceQueue
const claims = () => on.node.count('claimKeys')

beforeEach(async () => {
  on = bench()
  ada = new Person('ada', on.ctx.random)
  const contacts = new Contacts(on.ctx)
  on.node.on('manifest', ({ path }) => (path.includes('ada') ? ada : on.me).answer(path))
  await contacts.refresh(ada.userId, null)
  await contacts.refresh(on.me.userId, null)
  // Her homeserver does not answer: no bundles.
  on.node.on('claimKeys', () => ({ bundles: [], missing: [] }))
  queue = new ToDeviceQueue(on.ctx, contacts, new Sessions(on.ctx, contacts))
  queue.worker.start()
  await on.ctx.db.step('say', (step) => {
    const { member, userId, device } = { ...ada, device: ada.device.id }
    const content = { kind: 'key_request', room: '!r:a.test', envelope: 'e' } as const
    return queue.push(step, [{ member, userId, device, content }])
  })
  await on.clock.advance(0)
})

describe('what is for a device that cannot be reached', () => {
  it('is tried again after pauses that double, and given up in the end', async () => {
    expect(claims()).toBe(1)
    const tried: number[] = []
    for (const seconds of [14, 1, 29, 1, 59, 1]) {
      await on.clock.advance(seconds * 1000)
      tried.push(claims())
    }
    expect(tried).toEqual([1, 2, 2, 3, 3, 4])
    await on.clock.advance(24 * 60 * 60_000)
    expect(claims()).toBe(21)
  })

  it('is tried at once when its owner is heard of, and not because somebody else is', async () => {
    await on.clock.advance(1000)
    await queue.heard(new Set(['somebody else']))
    await on.clock.advance(0)
    expect(claims()).toBe(1)
    await queue.heard(new Set([ada.member]))
    await on.clock.advance(0)
    expect(claims()).toBe(2)
    // The pause after it is as long as if it had not been.
    await on.clock.advance(15_000)
    expect(claims()).toBe(3)
  })
})
