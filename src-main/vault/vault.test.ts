import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Batch } from '../../src-shared/client/index.ts'
import type { SealedBatch, SealedRecord } from './port-messages.ts'
import { RecordStoreError } from './record-link.ts'
import { rootAddress } from './session-index.ts'
import { readDisk, writeDisk } from './testing/disk.ts'
import { failureOf } from './testing/store-suite.ts'
import { VaultBench } from './testing/vault-bench.ts'
import { createVault, openVault } from './vault.ts'
import type { Vault, VaultOpening } from './vault.ts'

const session = { table: 'sessions', key: 'peer' }
const page = { table: 'pages', key: 'room/0' }
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

let lastId = 0
const put = (address: { table: string; key: string }, value: string): Batch => ({
  id: `c${lastId++}`,
  puts: [{ ...address, value: text(value) }],
  deletes: [],
})

let bench: VaultBench
let vault: Vault
beforeEach(async () => {
  bench = new VaultBench()
  vault = await createVault(bench.options())
})
afterEach(() => bench.close())

const open = (): Promise<VaultOpening> => openVault(bench.options())
async function mustOpen(): Promise<Vault> {
  const opening = await open()
  if (!opening.ok) throw new Error(opening.problem)
  return opening.vault
}
async function problemOf(): Promise<string | null> {
  const opening = await open()
  return opening.ok ? null : opening.problem
}

async function snapshot(): Promise<{ records: SealedRecord[]; mirror: Buffer }> {
  return { records: await readDisk(bench.indexedDB), mirror: readFileSync(bench.mirrorPath) }
}

const tamper = (rows: readonly SealedRecord[], others: 'keep' | 'clear'): Promise<void> =>
  writeDisk(bench.indexedDB, rows, others)

describe('sealing', () => {
  it('puts neither values nor keys on the disk in the clear', async () => {
    await vault.commit(put({ table: 'pages', key: 'room-name' }, 'a very secret sentence'))
    const disk = JSON.stringify(
      (await snapshot()).records.map(({ k, v }) => [k, Buffer.from(v).toString('latin1')]),
    )
    expect(disk).not.toContain('secret sentence')
    expect(disk).not.toContain('room-name')
    expect(disk).not.toContain('pages')
  })

  it('pads values, so that near lengths look the same', async () => {
    await vault.commit(put(page, 'x'))
    const short = (await snapshot()).records.find((row) => row.k === bench.sealing.blind(page))
    await vault.commit(put(page, 'x'.repeat(150)))
    const long = (await snapshot()).records.find((row) => row.k === bench.sealing.blind(page))
    expect(short?.v.length).toBe(long?.v.length)
  })

  it('refuses a record that was changed, and says which table', async () => {
    await vault.commit(put(page, 'whole'))
    const row = (await snapshot()).records.find(({ k }) => k === bench.sealing.blind(page))
    const v = row?.v.slice() ?? new Uint8Array()
    v[40] = (v[40] ?? 0) ^ 1
    await tamper([{ k: bench.sealing.blind(page), v }], 'keep')
    expect(await failureOf(vault.read([page]))).toBe('corrupted')
    expect(bench.damaged).toEqual(['pages'])
  })

  it('refuses a record that was moved to another address', async () => {
    const other = { table: 'pages', key: 'room/1' }
    await vault.commit(put(page, 'here'))
    const row = (await snapshot()).records.find(({ k }) => k === bench.sealing.blind(page))
    await tamper([{ k: bench.sealing.blind(other), v: row?.v ?? new Uint8Array() }], 'keep')
    expect(await failureOf(vault.read([other]))).toBe('corrupted')
  })
})

describe('rollback', () => {
  it('notices a whole vault that is older than the last commit', async () => {
    await vault.commit(put(session, 'ratchet 1'))
    const old = await snapshot()
    await vault.commit(put(session, 'ratchet 2'))
    await vault.commit(put(session, 'ratchet 3'))
    await vault.close()
    await tamper(old.records, 'clear')
    expect(await problemOf()).toBe('rolled_back')
  })

  it('notices a vault that is one commit older', async () => {
    await vault.commit(put(session, 'ratchet 1'))
    const old = await snapshot()
    await vault.commit(put(session, 'ratchet 2'))
    await vault.close()
    await tamper(old.records, 'clear')
    expect(await problemOf()).toBe('rolled_back')
  })

  it('notices a vault that went another way from the same past', async () => {
    await vault.commit(put(session, 'ratchet 1'))
    const past = await snapshot()
    await vault.commit(put(session, 'one way'))
    const one = await snapshot()
    await vault.close()
    await tamper(past.records, 'clear')
    writeFileSync(bench.mirrorPath, past.mirror)
    const other = await mustOpen()
    await other.commit(put(session, 'the other way'))
    await other.close()
    await tamper(one.records, 'clear')
    expect(await problemOf()).toBe('rolled_back')
  })

  it('notices that the mirror is gone, or of another vault', async () => {
    await vault.commit(put(session, 'ratchet'))
    await vault.close()
    const mirror = readFileSync(bench.mirrorPath)
    rmSync(bench.mirrorPath)
    expect(await problemOf()).toBe('rolled_back')
    writeFileSync(bench.mirrorPath, mirror.subarray(0, 50))
    expect(await problemOf()).toBe('rolled_back')
    writeFileSync(bench.mirrorPath, mirror)
    expect(await problemOf()).toBe(null)
  })

  it('refuses a single session record put back to an earlier version', async () => {
    await vault.commit(put(session, 'ratchet 1'))
    const old = await snapshot()
    await vault.commit(put(session, 'ratchet 2'))
    const k = bench.sealing.blind(session)
    await tamper(
      old.records.filter((row) => row.k === k),
      'keep',
    )
    const again = await mustOpen()
    expect(await failureOf(again.read([session]))).toBe('corrupted')
    expect(bench.damaged).toEqual(['sessions'])
  })

  it('refuses a session record together with its bucket put back', async () => {
    await vault.commit(put(session, 'ratchet 1'))
    const old = await snapshot()
    await vault.commit(put(session, 'ratchet 2'))
    await vault.close()
    const root = bench.sealing.blind(rootAddress)
    await tamper(
      old.records.filter((row) => row.k !== root),
      'keep',
    )
    const again = await mustOpen()
    expect(await failureOf(again.read([session]))).toBe('corrupted')
  })

  it('treats a deleted session that was put back as absent', async () => {
    await vault.commit(put(session, 'ratchet'))
    const old = await snapshot()
    await vault.commit({ id: 'gone', puts: [], deletes: [session] })
    const k = bench.sealing.blind(session)
    await tamper(
      old.records.filter((row) => row.k === k),
      'keep',
    )
    const again = await mustOpen()
    expect(await again.read([session])).toEqual([null])
  })

  it('lets fresh sessions begin, keeps messages and never opens an old session again', async () => {
    await vault.commit(put(page, 'message'))
    await vault.commit(put(session, 'ratchet 1'))
    const old = await snapshot()
    await vault.commit(put(session, 'ratchet 2'))
    await vault.close()
    await tamper(old.records, 'clear')
    const opening = await open()
    if (opening.ok || opening.startFresh === null) throw new Error('expected a rollback')
    const fresh = await opening.startFresh()
    expect(await fresh.read([page, session])).toEqual([text('message'), null])
    await fresh.commit(put(session, 'new ratchet'))
    await fresh.close()
    const again = await mustOpen()
    expect(await again.read([page, session])).toEqual([text('message'), text('new ratchet')])
    await again.close()
    await tamper(old.records, 'keep')
    expect(await problemOf()).toBe('rolled_back')
  })

  it('offers fresh sessions where the root itself is damaged', async () => {
    await vault.commit(put(page, 'message'))
    await vault.commit(put(session, 'ratchet'))
    await vault.close()
    await tamper([{ k: bench.sealing.blind(rootAddress), v: new Uint8Array(300) }], 'keep')
    const opening = await open()
    if (opening.ok || opening.startFresh === null) throw new Error('expected damage')
    expect(opening.problem).toBe('corrupted')
    const fresh = await opening.startFresh()
    expect(await fresh.read([page, session])).toEqual([text('message'), null])
  })

  it('says that the vault is missing instead of starting empty', async () => {
    await vault.commit(put(page, 'message'))
    await vault.close()
    await tamper([], 'clear')
    expect(await problemOf()).toBe('missing')
  })

  it('does not make a vault over an existing one', async () => {
    await vault.commit(put(page, 'message'))
    await vault.close()
    expect(await failureOf(createVault(bench.options()))).toBe('corrupted')
    rmSync(bench.mirrorPath)
    expect(await failureOf(createVault(bench.options()))).toBe('corrupted')
  })

  it('does not touch a vault of a newer version', async () => {
    await vault.commit(put(page, 'message'))
    await vault.close()
    writeFileSync(bench.mirrorPath, JSON.stringify({ version: 2, other: true }))
    expect(await problemOf()).toBe('newer_version')
  })
})

describe('a crash between vault and mirror', () => {
  it('is not a rollback, and the next commit follows', async () => {
    await vault.commit(put(session, 'ratchet 1'))
    const before = await snapshot()
    await vault.commit(put(session, 'ratchet 2'))
    await vault.close()
    writeFileSync(bench.mirrorPath, before.mirror)
    const again = await mustOpen()
    expect(await again.read([session])).toEqual([text('ratchet 2')])
    await again.commit(put(session, 'ratchet 3'))
    await again.close()
    expect(await problemOf()).toBe(null)
  })

  it('is not a rollback in the very first commit', async () => {
    const empty = readFileSync(bench.mirrorPath)
    await vault.commit(put(session, 'ratchet 1'))
    await vault.close()
    writeFileSync(bench.mirrorPath, empty)
    expect(await (await mustOpen()).read([session])).toEqual([text('ratchet 1')])
  })

  it('never lets the vault get two commits ahead of a mirror that cannot be written', async () => {
    let broken = false
    const mirror = {
      ...bench.mirror,
      write: (state: { counter: number; tag: string }) =>
        broken ? Promise.reject(new Error('ENOSPC')) : bench.mirror.write(state),
    }
    await vault.close()
    const opening = await openVault(bench.options({ mirror }))
    if (!opening.ok) throw new Error(opening.problem)
    broken = true
    expect(await failureOf(opening.vault.commit(put(page, '1')))).toBe(null)
    expect(await failureOf(opening.vault.commit(put(page, '2')))).toBe('full')
    broken = false
    expect(await failureOf(opening.vault.commit(put(page, '3')))).toBe(null)
    await opening.vault.close()
    expect(await (await mustOpen()).read([page])).toEqual([text('3')])
  })
})

describe('a port that breaks', () => {
  it('rejects what was under way as lost, reopens, and knows that the commit did not happen', async () => {
    await vault.commit(put(session, 'ratchet 1'))
    let broken = false
    bench.faults.onRequest = (request, lose) => {
      if (request.op !== 'apply' || broken) return 'serve'
      broken = true
      lose()
      return 'swallow'
    }
    const batch = put(session, 'ratchet 2')
    expect(await failureOf(vault.commit(batch))).toBe('lost')
    expect(await vault.wasCommitted(batch.id)).toBe(false)
    await vault.commit(batch)
    expect(await vault.read([session])).toEqual([text('ratchet 2')])
    expect(bench.opened).toBe(2)
  })

  it('knows that the commit did happen where only the answer was lost', async () => {
    await vault.commit(put(session, 'ratchet 1'))
    let broken = false
    bench.faults.onReply = (reply, lose) => {
      if (!reply.ok || reply.value !== null || broken) return 'send'
      broken = true
      lose()
      return 'swallow'
    }
    const batch = put(session, 'ratchet 2')
    expect(await failureOf(vault.commit(batch))).toBe('lost')
    expect(await vault.wasCommitted(batch.id)).toBe(true)
    expect(await vault.read([session])).toEqual([text('ratchet 2')])
    await vault.commit(put(session, 'ratchet 3'))
    await vault.close()
    expect(await (await mustOpen()).read([session])).toEqual([text('ratchet 3')])
  })

  it('keeps out a commit of a lost port that arrives late', async () => {
    await vault.commit(put(session, 'ratchet 1'))
    let late: (() => Promise<void>) | null = null
    bench.faults.onRequest = (request, lose) => {
      if (request.op !== 'apply' || late !== null) return 'serve'
      late = () => bench.records().apply(request.batch)
      lose()
      return 'swallow'
    }
    expect(await failureOf(vault.commit(put(session, 'late')))).toBe('lost')
    await vault.commit(put(session, 'ratchet 2'))
    await expect((late as unknown as () => Promise<void>)()).rejects.toThrow('conflict')
    expect(await vault.read([session])).toEqual([text('ratchet 2')])
  })

  it('reads again by itself', async () => {
    await vault.commit(put(page, 'message'))
    let broken = false
    bench.faults.onRequest = (request, lose) => {
      if (request.op !== 'get' || broken) return 'serve'
      broken = true
      lose()
      return 'swallow'
    }
    expect(await vault.read([page])).toEqual([text('message')])
  })

  it('takes a window that stops answering for lost', async () => {
    bench.faults.onRequest = (request) => (request.op === 'apply' ? 'swallow' : 'serve')
    expect(await failureOf(vault.commit(put(page, 'message')))).toBe('lost')
  })

  it('refuses everything once closed', async () => {
    await vault.close()
    expect(await failureOf(vault.read([page]))).toBe('closed')
    expect(await failureOf(vault.commit(put(page, 'x')))).toBe('closed')
    expect(await failureOf(vault.wasCommitted('x'))).toBe('closed')
  })
})

it('says so when the disk is full, and goes on when it is not any more', async () => {
  await vault.close()
  const link = bench.link()
  let full = true
  const records = {
    ...link,
    apply: (batch: SealedBatch) =>
      full ? Promise.reject(new RecordStoreError('full')) : link.apply(batch),
  }
  const opening = await openVault(bench.options({ records }))
  if (!opening.ok) throw new Error(opening.problem)
  expect(await failureOf(opening.vault.commit(put(session, '1')))).toBe('full')
  full = false
  expect(await failureOf(opening.vault.commit(put(session, '2')))).toBe(null)
  expect(await opening.vault.read([session])).toEqual([text('2')])
})

it('erases everything, mirror included', async () => {
  await vault.commit(put(page, 'message'))
  await vault.erase()
  expect(existsSync(bench.mirrorPath)).toBe(false)
  expect(await failureOf(vault.read([page]))).toBe('closed')
  const again = await createVault(bench.options())
  expect(await again.read([page])).toEqual([null])
})

it('reads only what is asked for, whatever else the vault holds', async () => {
  const batches = Array.from({ length: 20 }, (_, n) => ({
    id: `many-${n}`,
    puts: Array.from({ length: 100 }, (__, m) => ({
      table: m % 10 === 0 ? 'sessions' : 'pages',
      key: `${n}/${m}`,
      value: text('x'),
    })),
    deletes: [],
  }))
  for (const batch of batches) await vault.commit(batch)
  await vault.close()
  let read = 0
  bench.faults.onRequest = (request) => {
    if (request.op === 'get') read += request.keys.length
    return 'serve'
  }
  const again = await mustOpen()
  await again.read([{ table: 'pages', key: '3/1' }])
  await again.read([{ table: 'sessions', key: '3/10' }])
  // The root, the page, the session and its bucket.
  expect(read).toBe(4)
})
