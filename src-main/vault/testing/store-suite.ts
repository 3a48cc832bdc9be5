/** What every Store adapter must do; run over each of them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreError } from '../../../src-shared/client/index.ts'
import type { Batch, RecordKey, Store } from '../../../src-shared/client/index.ts'

export interface StoreUnderTest {
  readonly store: Store
  /** The same records through a new store, as after a restart. Absent where nothing survives one. */
  readonly reopen?: () => Promise<Store>
  readonly close: () => Promise<void>
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const key = (table: string, name: string): RecordKey => ({ table, key: name })

let lastId = 0
function batch(
  puts: readonly [RecordKey, Uint8Array][],
  deletes: readonly RecordKey[] = [],
  id = `commit-${lastId++}`,
): Batch {
  return { id, puts: puts.map(([address, value]) => ({ ...address, value })), deletes }
}

export function describeStore(
  name: string,
  make: (options: { keepCommits: number }) => Promise<StoreUnderTest>,
): void {
  describe(`the Store over ${name}`, () => {
    const keepCommits = 8
    let subject: StoreUnderTest
    beforeEach(async () => {
      subject = await make({ keepCommits })
    })
    afterEach(() => subject.close())

    it('answers null for what was never written', async () => {
      expect(await subject.store.read([key('pages', 'a'), key('sessions', 'a')])).toEqual([
        null,
        null,
      ])
      expect(await subject.store.read([])).toEqual([])
    })

    it('returns what was committed, in the order asked for', async () => {
      const { store } = subject
      await store.commit(
        batch([
          [key('pages', 'a'), bytes(1, 2, 3)],
          [key('pages', 'b'), bytes()],
          [key('sessions', 'a'), bytes(9)],
        ]),
      )
      const read = [key('sessions', 'a'), key('pages', 'b'), key('pages', 'x'), key('pages', 'a')]
      expect(await store.read(read)).toEqual([bytes(9), bytes(), null, bytes(1, 2, 3)])
    })

    it('replaces and deletes, sessions too', async () => {
      const { store } = subject
      for (const table of ['pages', 'sessions', 'prekeys']) {
        await store.commit(
          batch([
            [key(table, 'a'), bytes(1)],
            [key(table, 'b'), bytes(2)],
          ]),
        )
        await store.commit(batch([[key(table, 'a'), bytes(3)]], [key(table, 'b')]))
        expect(await store.read([key(table, 'a'), key(table, 'b')])).toEqual([bytes(3), null])
      }
    })

    it('keeps the put where one batch deletes and puts the same key', async () => {
      const { store } = subject
      for (const table of ['pages', 'sessions']) {
        await store.commit(batch([[key(table, 'a'), bytes(1)]]))
        await store.commit(batch([[key(table, 'a'), bytes(2)]], [key(table, 'a')]))
        expect(await store.read([key(table, 'a')])).toEqual([bytes(2)])
      }
    })

    it('tells tables and keys apart whose names run together', async () => {
      const { store } = subject
      await store.commit(
        batch([
          [key('ab', 'c'), bytes(1)],
          [key('a', 'bc'), bytes(2)],
        ]),
      )
      expect(await store.read([key('ab', 'c'), key('a', 'bc')])).toEqual([bytes(1), bytes(2)])
    })

    it('knows which commits happened, and forgets old ones only', async () => {
      const { store } = subject
      for (let n = 0; n < keepCommits + 2; n++) {
        await store.commit(batch([[key('pages', 'a'), bytes(n)]], [], `kept-${n}`))
      }
      expect(await store.wasCommitted('kept-0')).toBe(false)
      expect(await store.wasCommitted('kept-2')).toBe(true)
      expect(await store.wasCommitted(`kept-${keepCommits + 1}`)).toBe(true)
      expect(await store.wasCommitted('another')).toBe(false)
    })

    it('does nothing when a commit id comes again', async () => {
      const { store } = subject
      await store.commit(batch([[key('sessions', 'a'), bytes(1)]], [], 'once'))
      await store.commit(batch([[key('sessions', 'a'), bytes(2)]]))
      await store.commit(batch([[key('sessions', 'a'), bytes(1)]], [], 'once'))
      expect(await store.read([key('sessions', 'a')])).toEqual([bytes(2)])
      await store.commit(batch([[key('sessions', 'a'), bytes(3)]]))
      expect(await store.read([key('sessions', 'a')])).toEqual([bytes(3)])
    })

    it('orders commits that are started together', async () => {
      const { store } = subject
      await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          store.commit(
            batch([
              [key('sessions', 'a'), bytes(n)],
              [key('pages', String(n)), bytes(n)],
            ]),
          ),
        ),
      )
      expect(await store.read([key('sessions', 'a'), key('pages', '7')])).toEqual([
        bytes(19),
        bytes(7),
      ])
    })

    it('carries large values and many records unharmed', async () => {
      const { store } = subject
      const large = new Uint8Array(300_000).map((_, index) => index * 7)
      const many = Array.from({ length: 400 }, (_, n): [RecordKey, Uint8Array] => [
        key('pages', `many-${n}`),
        bytes(n & 255, n >> 8),
      ])
      await store.commit(batch([[key('pages', 'large'), large], ...many]))
      expect((await store.read([key('pages', 'large')]))[0]).toEqual(large)
      expect(await store.read(many.map(([address]) => address))).toEqual(
        many.map(([, value]) => value),
      )
    })

    it('does not keep the caller’s buffers', async () => {
      const { store } = subject
      const value = bytes(1, 2, 3)
      await store.commit(batch([[key('pages', 'a'), value]]))
      value.fill(0)
      const [first] = await store.read([key('pages', 'a')])
      first?.fill(7)
      expect(await store.read([key('pages', 'a')])).toEqual([bytes(1, 2, 3)])
    })

    it('has everything again after a restart', async (context) => {
      if (subject.reopen === undefined) return context.skip()
      await subject.store.commit(
        batch(
          [
            [key('sessions', 'a'), bytes(1)],
            [key('pages', 'a'), bytes(2)],
          ],
          [],
          'before',
        ),
      )
      const again = await subject.reopen()
      expect(await again.read([key('sessions', 'a'), key('pages', 'a')])).toEqual([
        bytes(1),
        bytes(2),
      ])
      expect(await again.wasCommitted('before')).toBe(true)
      await again.commit(batch([[key('sessions', 'a'), bytes(3)]]))
      expect(await again.read([key('sessions', 'a')])).toEqual([bytes(3)])
    })
  })
}

/** The code a store operation fails with, or null. */
export async function failureOf(work: Promise<unknown>): Promise<string | null> {
  try {
    await work
    return null
  } catch (error) {
    if (error instanceof StoreError) return error.code
    throw error
  }
}
