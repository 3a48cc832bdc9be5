import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { giveDatabaseBack, onPostgres, takeDatabase } from '../testing/database.ts'
import { queryAt } from '../testing/postgresql.ts'
import { openStorage } from './index.ts'
import type { Storage } from './index.ts'

let folder: string
let database: string | null
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eccp-storage-'))
  database = await takeDatabase()
})
afterEach(() => {
  giveDatabaseBack(database)
  rmSync(folder, { recursive: true, force: true })
})

const open = (serverName = 'node.test'): Promise<Storage> =>
  openStorage({ folder, serverName, database })

/** One statement past the storage, on whichever database it is. */
async function directly(text: string): Promise<Record<string, unknown>[]> {
  if (database !== null) return queryAt(database, text)
  const file = new DatabaseSync(join(folder, 'node.sqlite'))
  const rows = file.prepare(text).all()
  file.close()
  return rows.map((row) => ({ ...row }))
}

describe('the storage', () => {
  it('keeps its name when it is opened again', async () => {
    const first = await open()
    await first.close()
    const second = await open()
    expect(second.id).toBe(first.id)
    await second.close()
  })

  it('is for one process where the data is a folder, and for several on PostgreSQL', async () => {
    const first = await open()
    if (onPostgres) {
      const second = await open()
      expect(second.id).toBe(first.id)
      await second.close()
    } else await expect(open()).rejects.toMatchObject({ code: 'in_use' })
    expect(first.shared).toBe(onPostgres)
    await first.close()
    await (await open()).close()
  })

  it('refuses data of a later schema and leaves it as it is', async () => {
    await (await open()).close()
    const [before] = await directly(`select value from meta where key = 'schema_version'`)
    await directly(`update meta set value = '999' where key = 'schema_version'`)
    await expect(open()).rejects.toMatchObject({ code: 'newer_schema' })
    expect(await directly(`select value from meta where key = 'schema_version'`)).toEqual([
      { value: '999' },
    ])
    await directly(
      `update meta set value = '${String(before?.['value'])}' where key = 'schema_version'`,
    )
  })

  it('refuses the data of a node with another name', async () => {
    await (await open()).close()
    await expect(open('other.test')).rejects.toMatchObject({ code: 'other_server' })
  })

  it('undoes the whole of a write that throws', async () => {
    const storage = await open()
    const token = { token_hash: 'h', name: null, uses_left: 1, admin: 0, created_at: 0 }
    await expect(
      storage.write(async (tx) => {
        await tx.accounts.putRegistrationToken(token)
        await tx.streams.append('account', 'x', null, [{ member: 'm' }], 0)
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    await storage.read(async (tx) => {
      expect(await tx.streams.head()).toBe(0)
      expect(await tx.accounts.useRegistrationToken('h', 'anyone')).toBeUndefined()
    })
    await storage.close()
  })

  it('tells of news only once they are durable, and not of those that were undone', async () => {
    const told: string[][] = []
    const storage = await openStorage({
      folder,
      serverName: 'node.test',
      database,
      onNews: (members) => told.push([...(members ?? [])].sort()),
    })
    const say = (member: string) => (tx: Parameters<Parameters<Storage['write']>[0]>[0]) =>
      tx.streams.append('account', 'x', null, [{ member }], 0)
    const failing = storage.write(async (tx) => {
      await say('undone')(tx)
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    await Promise.all([storage.write(say('a')), storage.write(say('b'))])
    expect(told.flat().sort()).toEqual(['a', 'b'])
    await storage.close()
  })

  it('undoes one of several writes made durable together, and keeps the others', async () => {
    const storage = await open()
    const put = (hash: string, fails: boolean) =>
      storage.write(async (tx) => {
        await tx.accounts.putRegistrationToken({
          token_hash: hash,
          name: null,
          uses_left: 1,
          admin: 0,
          created_at: 0,
        })
        if (fails) throw new Error(hash)
        return hash
      })
    const results = await Promise.allSettled([put('a', false), put('b', true), put('c', false)])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    const use = (hash: string) =>
      storage.write((tx) => tx.accounts.useRegistrationToken(hash, 'anyone'))
    expect(await use('a')).toBeDefined()
    expect(await use('b')).toBeUndefined()
    expect(await use('c')).toBeDefined()
    await storage.close()
  })

  it('finishes what was asked before it closes', async () => {
    const storage = await open()
    const writing = storage.write((tx) => tx.streams.take('account', 'x', null, 0))
    await storage.close()
    expect(await writing).toBe(1)
  })

  it('never hands out a position twice, undone writes and restarts included', async () => {
    const positions: number[] = []
    for (let round = 0; round < 3; round++) {
      const storage = await open()
      const take = () => storage.write((tx) => tx.streams.take('account', 'x', null, 0))
      positions.push(await take(), ...(await Promise.all([take(), take(), take()])))
      await storage.close()
    }
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b))
  })

  it('takes one of many at once by compare-and-swap', async () => {
    const storage = await open()
    await storage.write((tx) =>
      tx.accounts.insert({
        member: 'm',
        name: 'n',
        user_id: 'u',
        password_hash: 'p',
        display_name: 'd',
        admin: 0,
        created_at: 0,
        head: 'h0',
        height: 0,
        feed_floor: 0,
      }),
    )
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        storage.write((tx) => tx.accounts.moveHead('m', 'h0', `h1-${index}`, 1)),
      ),
    )
    expect(results.filter(Boolean)).toHaveLength(1)
    await storage.close()
  })
})
