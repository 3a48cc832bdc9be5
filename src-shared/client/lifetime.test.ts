import { describe, expect, it } from 'vitest'
import { Unanswered } from './http/api-client.ts'
import { Bell, Lifetime } from './lifetime.ts'
import { bench } from './testing/bench.ts'
import { SimulatedClock } from './testing/simulation.ts'
import { Worker } from './worker.ts'

describe('sleeping', () => {
  it('ends when time is up, when it is rung for, and when everything ends', async () => {
    const clock = new SimulatedClock()
    const life = new Lifetime(clock)
    const bell = new Bell()
    const woken: string[] = []
    void life.sleep(100).then(() => woken.push('time'))
    void life.sleep(1_000_000, bell).then(() => woken.push('bell'))
    void life.sleep(Infinity).then(() => woken.push('end'))
    await clock.advance(99)
    expect(woken).toEqual([])
    await clock.advance(1)
    expect(woken).toEqual(['time'])
    bell.ring()
    await clock.advance(0)
    expect(woken).toEqual(['time', 'bell'])
    life.cancel()
    await clock.advance(0)
    expect(woken).toEqual(['time', 'bell', 'end'])
    expect(clock.next()).toBe(null)
  })

  it('does not sleep through a ring that came a moment before', async () => {
    const clock = new SimulatedClock()
    const bell = new Bell()
    bell.ring()
    let woken = false
    void new Lifetime(clock).sleep(1_000, bell).then(() => (woken = true))
    await clock.advance(0)
    expect(woken).toBe(true)
  })
})

describe('a worker', () => {
  it('runs one pass at a time, again for work that came meanwhile, and rests', async () => {
    const { ctx, clock } = bench()
    let passes = 0
    let inside = 0
    const worker = new Worker(ctx, async () => {
      expect(++inside).toBe(1)
      passes++
      await Promise.resolve()
      inside--
      return null
    })
    worker.kick()
    await clock.advance(0)
    expect(passes).toBe(0)
    worker.start()
    worker.kick()
    worker.kick()
    await clock.advance(0)
    expect(passes).toBe(2)
    await clock.advance(1_000_000)
    expect(passes).toBe(2)
    worker.kick()
    await clock.advance(0)
    expect(passes).toBe(3)
  })

  it('comes back after a failure, with a pause, and at once when kicked', async () => {
    const { ctx, clock } = bench()
    let passes = 0
    const worker = new Worker(ctx, () => {
      passes++
      return passes < 3 ? Promise.reject(new Unanswered('unreachable')) : Promise.resolve(null)
    })
    worker.start()
    await clock.advance(0)
    expect(passes).toBe(1)
    await clock.advance(2_000)
    expect(passes).toBeGreaterThanOrEqual(2)
    worker.kick()
    await clock.advance(0)
    expect(passes).toBeGreaterThanOrEqual(3)
  })

  it('stops with everything else', async () => {
    const { ctx, clock } = bench()
    let passes = 0
    const worker = new Worker(ctx, () => Promise.resolve(++passes < 100 ? 10 : null))
    worker.start()
    await clock.advance(45)
    ctx.life.cancel()
    const before = passes
    await clock.advance(1_000)
    expect(passes).toBe(before)
  })
})
