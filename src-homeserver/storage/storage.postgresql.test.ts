import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, createConnection } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Client } from 'pg'
import { newPostgresDatabase } from '../testing/database.ts'
import { queryAt } from '../testing/postgresql.ts'
import { openStorage } from './index.ts'
import type { Storage, StorageOptions } from './index.ts'
import { SCHEMA_VERSION } from './migrations.ts'
import { escaped, unescaped } from './postgres.ts'
import { lockNumber, payloads } from './standing.ts'

let folder: string
let database: string
const open_: Storage[] = []
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eccp-storage-'))
  database = await newPostgresDatabase()
})
afterEach(async () => {
  for (const storage of open_.splice(0)) await storage.close()
  rmSync(folder, { recursive: true, force: true })
})

async function open(more: Partial<StorageOptions> = {}): Promise<Storage> {
  const storage = await openStorage({ folder, serverName: 'node.test', database, ...more })
  open_.push(storage)
  return storage
}

const tokens = (storage: Storage, hash: string) =>
  storage.write((tx) =>
    tx.accounts.putRegistrationToken({
      token_hash: hash,
      name: null,
      uses_left: 1,
      admin: 0,
      created_at: 0,
    }),
  )

/** Resolves as soon as `found` says so. */
async function until(found: () => boolean): Promise<void> {
  while (!found()) await new Promise((resolve) => setTimeout(resolve, 10))
}

describe('a PostgreSQL database', () => {
  it('orders every text by its bytes, whatever its own collation', async () => {
    await open()
    const rows = await queryAt(
      database,
      `select table_name, column_name from information_schema.columns
       where table_schema = 'public' and data_type = 'text' and collation_name is distinct from 'C'`,
    )
    expect(rows).toEqual([])
    const [own] = await queryAt(database, `select 'a' < 'B' as differs`)
    expect(own).toEqual({ differs: true })
  })

  it('is refused where it does not hold Unicode', async () => {
    const name = new URL(database).pathname.slice(1)
    await queryAt(
      database,
      `create database ${name}_ascii encoding 'SQL_ASCII' locale 'C' template template0 locale_provider libc`,
    )
    const other = database.replace(`/${name}?`, `/${name}_ascii?`)
    await expect(open({ database: other })).rejects.toMatchObject({ code: 'bad_encoding' })
  })

  it('is refused where the server is older than 15, and left as it is', async () => {
    const [row] = await queryAt(database, 'show server_version_num')
    const socket = `${new URL(database).searchParams.get('host') ?? ''}/.s.PGSQL.5432`
    // In between, the server's version is changed for that of an older one.
    const older = createServer((client) => {
      const server = createConnection(socket)
      client.pipe(server)
      server.on('data', (data) => {
        const text = data.toString('latin1')
        client.write(text.replaceAll(String(row?.['server_version_num']), '140009'), 'latin1')
      })
      client.on('error', () => server.destroy())
      server.on('error', () => client.destroy())
      client.on('close', () => server.destroy())
    })
    await new Promise<void>((resolve) => older.listen(0, '127.0.0.1', resolve))
    const { port } = older.address() as AddressInfo
    const url = `postgresql://eccp@127.0.0.1:${port}${new URL(database).pathname}`
    await expect(open({ database: url })).rejects.toMatchObject({
      code: 'old_database',
      detail: '140009',
    })
    older.close()
    const tables = await queryAt(database, `select 1 from pg_tables where tablename = 'accounts'`)
    expect(tables).toEqual([])
  })

  it('that is not there is an error without the password', async () => {
    const error: unknown = await open({
      database: 'postgresql://eccp:hunter2@127.0.0.1:1/eccp',
    }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'unavailable', detail: 'ECONNREFUSED' })
    expect(error instanceof Error && `${error.message} ${error.stack ?? ''}`).not.toContain(
      'hunter2',
    )
  })

  it('is not changed while processes of an earlier version run on it', async () => {
    const running = await open()
    const change = (version: number) =>
      queryAt(
        database,
        `update meta set value = '${version}' where key = 'schema_version' returning value`,
      )
    await change(SCHEMA_VERSION - 1)
    await expect(open()).rejects.toMatchObject({ code: 'older_running' })
    expect(await change(SCHEMA_VERSION)).toEqual([{ value: String(SCHEMA_VERSION) }])
    expect((await open()).id).toBe(running.id)
  })

  it('is not used any more by a process that has slept through a change of the schema', async () => {
    const states: string[] = []
    await open({ onState: (state) => states.push(state === 'up' ? 'up' : state.code) })
    await queryAt(database, `update meta set value = '999' where key = 'schema_version'`)
    await queryAt(
      database,
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    )
    await until(() => states.includes('newer_schema'))
    const [storage] = open_
    if (storage === undefined) throw new Error('nothing is open')
    await expect(tokens(storage, 'late')).rejects.toMatchObject({ code: 'newer_schema' })
    await expect(storage.read((tx) => tx.streams.head())).rejects.toMatchObject({
      code: 'newer_schema',
    })
  })

  it('is set up once by processes that start together', async () => {
    const all = await Promise.all([open(), open(), open(), open()])
    expect(new Set(all.map(({ id }) => id)).size).toBe(1)
  })

  it('keeps every text as it is', () => {
    const texts = ['', 'a', '\0', '\x01', '\x010', '\x011', '\0\x01\0', '\x01\x010\x02', 'é\0']
    for (const text of texts) {
      expect(unescaped(escaped(text))).toBe(text)
      expect(escaped(text)).not.toContain('\0')
    }
    const order = (list: string[]): string[] =>
      [...list].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(order(texts.map(escaped)).map(unescaped)).toEqual(order(texts))
  })
})

describe('several processes on one database', () => {
  it('hear of each other’s news once they are durable, and not of those undone', async () => {
    const heard: string[] = []
    const told: string[] = []
    const outbound: string[] = []
    const one = await open({ onNews: (members) => told.push(...(members ?? ['everyone'])) })
    await open({
      onNews: (members) => heard.push(...(members ?? ['everyone'])),
      onOutbound: (servers) => outbound.push(...(servers ?? ['everyone'])),
    })
    await one
      .write(async (tx) => {
        await tx.streams.append('account', 'x', null, [{ member: 'undone' }], 0)
        throw new Error('no')
      })
      .catch(() => undefined)
    await one.write(async (tx) => {
      await tx.streams.append('account', 'x', null, [{ member: 'm1' }, { member: 'm2' }], 0)
      await tx.federation.enqueue('far.test', { id: 'i', kind: 'receipt', item: '{}' }, 0)
    })
    await until(() => heard.length >= 2 && outbound.length >= 1)
    expect(heard.sort()).toEqual(['m1', 'm2'])
    expect(outbound).toEqual(['far.test'])
    expect(told.sort()).toEqual(['m1', 'm2'])
  })

  it('hand out every position once, and in the order in which they become visible', async () => {
    const storages = await Promise.all([open(), open(), open()])
    const seen: number[] = []
    const watching = (async () => {
      for (let last = 0; last < 90;) {
        const rows = await storages[0]?.read((tx) => tx.streams.after('m', 'd', last, 100))
        for (const { pos } of rows ?? []) seen.push((last = pos))
      }
    })()
    const taken = await Promise.all(
      Array.from({ length: 90 }, (_, index) =>
        storages[index % 3]?.write((tx) =>
          tx.streams.append('account', 'x', null, [{ member: 'm' }], 0),
        ),
      ),
    )
    await watching
    expect([...taken].sort((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 90 }, (_, index) => index + 1),
    )
    // Whoever follows by position misses nothing that came from another process.
    expect(seen).toEqual(Array.from({ length: 90 }, (_, index) => index + 1))
  })

  it('let one of them decide', async () => {
    const storages = await Promise.all([open(), open()])
    const [first] = storages
    await (first === undefined ? undefined : tokens(first, 't'))
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        storages[index % 2]?.write((tx) => tx.accounts.useRegistrationToken('t', 'anyone')),
      ),
    )
    expect(results.filter((row) => row !== undefined)).toHaveLength(1)
    const names = await Promise.all(storages.map((one) => one.takeName('nonce', 100, 1)))
    expect(names.sort()).toEqual(['again', 'first'])
  })

  it('are at one thing one at a time, and free it when they end', async () => {
    const [one, two] = await Promise.all([open(), open()])
    let other: boolean | undefined
    await one.alone('outbound/far.test', async () => {
      other = await two.alone('outbound/far.test', async () => undefined)
      expect(await two.alone('outbound/else.test', async () => undefined)).toBe(true)
    })
    expect(other).toBe(false)
    expect(await two.alone('outbound/far.test', async () => undefined)).toBe(true)
    let release: (() => void) | null = null
    const work = () => new Promise<void>((resolve) => (release = resolve))
    const held = one.alone('x', work)
    await until(() => release !== null)
    await queryAt(
      database,
      `select pg_terminate_backend(pid) from pg_locks
       where locktype = 'advisory' and (classid::bigint << 32 | objid::bigint) = ${lockNumber('alone/x')}`,
    )
    let free = false
    while (!free) free = await two.alone('x', async () => undefined)
    for (const go of [release as (() => void) | null]) go?.()
    await held
  })

  it('do a write again that the database undid because of another', async () => {
    const storage = await open()
    let tries = 0
    await storage.write(async (tx) => {
      tries++
      await tx.accounts.putRegistrationToken({
        token_hash: `try-${tries}`,
        name: null,
        uses_left: 1,
        admin: 0,
        created_at: 0,
      })
      if (tries < 3) throw Object.assign(new Error('deadlock'), { code: '40P01' })
    })
    expect(tries).toBe(3)
    const rows = await queryAt(database, 'select token_hash from registration_tokens')
    expect(rows).toEqual([{ token_hash: 'try-3' }])
    const before = storage.undone()
    const never = storage.write(async () => {
      tries++
      throw Object.assign(new Error('again'), { code: '40001', severity: 'ERROR' })
    })
    await expect(never).rejects.toMatchObject({ code: 'refused', detail: '40001' })
    expect(storage.undone() - before).toBe(4)
  })

  it('say what was lost with a connection, and that anything may have happened', async () => {
    const news: (readonly string[] | 'any')[] = []
    const states: string[] = []
    const storage = await open({
      onNews: (members) => news.push(members === null ? 'any' : [...members]),
      onState: (state) => states.push(state === 'up' ? 'up' : state.code),
    })
    const killer = new Client({ connectionString: database })
    await killer.connect()
    await killer.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    )
    await killer.end()
    await until(() => states.includes('up'))
    expect(states).toEqual(['unavailable', 'up'])
    expect(news).toContain('any')
    await tokens(storage, 'after')
  })
})

describe('notifications', () => {
  it('are cut into pieces that PostgreSQL takes', () => {
    const members = Array.from({ length: 1000 }, (_, index) => `${index}`.padStart(43, 'm'))
    const servers = Array.from({ length: 100 }, (_, index) => `${'s'.repeat(240)}${index}`)
    const texts = payloads('sender', { members, servers, keys: true })
    const read = texts.map((text) => JSON.parse(text) as { m: string[]; o: string[]; k?: true })
    expect(Math.max(...texts.map((text) => Buffer.byteLength(text)))).toBeLessThan(8000)
    expect(read.flatMap(({ m }) => m)).toEqual(members)
    expect(read.flatMap(({ o }) => o)).toEqual(servers)
    expect(read.filter(({ k }) => k === true)).toHaveLength(1)
    expect(payloads('sender', { members: [], servers: [], keys: false })).toEqual([])
  })
})
