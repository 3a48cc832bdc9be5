import * as z from 'zod'
import { describe, expect, it } from 'vitest'
import { StoreError } from '../ports.ts'
import { MemoryStore } from '../testing/memory-store.ts'
import { Database } from './database.ts'
import { recordType } from './record-type.ts'
import { tables } from './tables.ts'

const numbers = recordType(tables.index, z.object({ n: z.int() }), 4)

function open(store = new MemoryStore()) {
  let ids = 0
  let full = 0
  const events: string[] = []
  const db = new Database({
    store,
    newId: () => `commit-${String(ids++)}`,
    log: (event) => events.push(event),
    onFull: () => full++,
  })
  return { store, db, events, full: () => full }
}

const add = (db: Database, key: string, by: number) =>
  db.step('add', async (step) => {
    const n = ((await step.get(numbers, key))?.n ?? 0) + by
    step.put(numbers, key, { n })
    return n
  })

describe('the database', () => {
  it('gives steps one after the other the values of those before', async () => {
    const { db } = open()
    expect(await Promise.all([add(db, 'a', 1), add(db, 'a', 2), add(db, 'a', 3)])).toEqual([
      1, 3, 6,
    ])
    expect(await db.get(numbers, 'a')).toEqual({ n: 6 })
  })

  it('puts steps that wait together into one commit', async () => {
    const { db, store } = open()
    await Promise.all(Array.from({ length: 20 }, (_, n) => add(db, `k${String(n)}`, 1)))
    expect(store.writes).toBe(1)
  })

  it('keeps nothing of a step that throws, and everything of its neighbours', async () => {
    const { db } = open()
    const failing = db.step('fails', (step) => {
      step.put(numbers, 'a', { n: 99 })
      throw new RangeError('no')
    })
    const [, failed] = await Promise.allSettled([add(db, 'a', 1), failing, add(db, 'a', 1)])
    expect(failed.status).toBe('rejected')
    expect(await db.get(numbers, 'a')).toEqual({ n: 2 })
  })

  it('shows in memory only what is committed', async () => {
    const { db, store } = open()
    await add(db, 'a', 1)
    store.failNext = [new StoreError('full')]
    let effects = 0
    const failed = db.step('full', (step) => {
      step.put(numbers, 'a', { n: 50 })
      step.after(() => effects++)
    })
    await expect(failed).rejects.toMatchObject({ code: 'internal' })
    expect(await db.get(numbers, 'a')).toEqual({ n: 1 })
    expect(effects).toBe(0)
    expect(await add(db, 'a', 1)).toBe(2)
  })

  it('asks about a commit whose outcome is unknown, and repeats it only if it did not happen', async () => {
    for (const outcome of ['done', 'not_done'] as const) {
      const { db, store } = open()
      store.loseNext = [outcome]
      expect(await add(db, 'a', 1)).toBe(1)
      expect(store.writes).toBe(1)
      expect(await db.get(numbers, 'a')).toEqual({ n: 1 })
    }
  })

  it('builds on nothing more once it cannot know what is on disk', async () => {
    const { db, store } = open()
    store.failNext = [new StoreError('closed')]
    await expect(add(db, 'a', 1)).rejects.toMatchObject({ code: 'internal' })
    await expect(add(db, 'a', 1)).rejects.toMatchObject({ code: 'internal' })
    expect(store.writes).toBe(0)
  })

  it('says that the store is full and goes on when there is room again', async () => {
    const { db, store, full } = open()
    store.failNext = [new StoreError('full')]
    await expect(add(db, 'a', 1)).rejects.toMatchObject({ code: 'internal' })
    expect(full()).toBe(1)
    expect(await add(db, 'a', 1)).toBe(1)
  })

  it('names a damaged record for what it is', async () => {
    const { db, store } = open()
    store.records.set('index/a', new Uint8Array([1, 2, 3]))
    await expect(db.get(numbers, 'a')).rejects.toMatchObject({ code: 'vault_damaged' })
  })

  it('reads each record once while it stays in memory', async () => {
    const { db, store } = open()
    await add(db, 'a', 1)
    const before = store.reads
    for (let turn = 0; turn < 10; turn++) await db.get(numbers, 'a')
    expect(store.reads).toBe(before)
    for (const key of ['b', 'c', 'd', 'e']) await db.get(numbers, key)
    await db.get(numbers, 'a')
    expect(store.reads).toBe(before + 5)
  })

  it('never takes an old value from a read that a commit overtook', async () => {
    const store = new MemoryStore()
    const { db } = open(store)
    const read = store.read.bind(store)
    let release: () => void = () => undefined
    const held = new Promise<void>((resolve) => (release = resolve))
    let first = true
    store.read = async (keys) => {
      const values = await read(keys)
      if (!first) return values
      first = false
      await held
      return values
    }
    const slow = db.get(numbers, 'a')
    await db.step('put', (step) => {
      step.put(numbers, 'a', { n: 7 })
    })
    release()
    expect(await slow).toEqual({ n: 7 })
    expect(await db.get(numbers, 'a')).toEqual({ n: 7 })
  })

  it('announces every commit before and after', async () => {
    const { db, events } = open()
    await add(db, 'a', 1)
    await db.step('reads only', async (step) => step.get(numbers, 'a'))
    expect(events).toEqual(['commit.before', 'commit.after'])
  })
})
