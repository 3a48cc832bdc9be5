import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bench, Person } from '../../src-shared/client/testing/bench.ts'
import type { ServerAnswer } from '../../src-shared/api/index.ts'
import { createNativeCrypto } from '../../src-platform/crypto/native-crypto.ts'
import { allGuards } from '../guards.ts'
import { createLog } from '../log.ts'
import { createMetrics } from '../metrics.ts'
import { openStorage } from '../storage/index.ts'
import type { Storage } from '../storage/index.ts'
import { until } from '../testing/engine-users.ts'
import type { PeerCalls } from './peer-calls.ts'
import { PeerError } from './peer-calls.ts'
import { createRemoteAccounts } from './remote-accounts.ts'
import type { RemoteAccounts } from './remote-accounts.ts'

let folder: string
let storage: Storage
let remote: RemoteAccounts
let ada: Person
/** What was asked and waits for its answer. */
let asked: { answer: () => void; fail: () => void }[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eccp-remote-'))
  storage = await openStorage({ folder, serverName: 'b.test', database: null })
  ada = new Person('ada', bench().ctx.random)
  asked = []
  const call = (_server: string, _name: string, options: { query: { from: number } }) =>
    new Promise((resolve, reject) => {
      // As it stands when the question arrives.
      const value = ada.answer(`from=${options.query.from}`) as ServerAnswer<'manifest'>
      asked.push({
        answer: () => resolve({ ok: true, value }),
        fail: () => reject(new PeerError('unreachable')),
      })
    })
  remote = createRemoteAccounts({
    crypto: createNativeCrypto(),
    storage,
    peers: { call } as unknown as PeerCalls,
    log: createLog('error'),
    metrics: createMetrics(),
    guards: allGuards,
    now: () => 1_900_000_000_000,
    stopping: new AbortController().signal,
  })
})
afterEach(async () => {
  await storage.close()
  rmSync(folder, { recursive: true, force: true })
})

const isAsked = (times: number): Promise<void> => until(() => asked.length === times)
const height = () =>
  storage.read(async (tx) => (await tx.federation.account(ada.member))?.height ?? null)

describe('an account of another server', () => {
  it('is asked for once more by whoever comes while an older question is on its way', async () => {
    const first = remote.refresh(ada.userId)
    await isAsked(1)
    ada.add()
    const told = [remote.refresh(ada.userId), remote.refresh(ada.userId)]
    asked[0]?.answer()
    await first
    expect(await height()).toBe(0)
    await isAsked(2)
    asked[1]?.answer()
    await Promise.all(told)
    expect(await height()).toBe(1)
    expect(asked).toHaveLength(2)
  })

  it('is not asked for again at once where its server does not answer', async () => {
    const both = [remote.refresh(ada.userId), remote.refresh(ada.userId)]
    await isAsked(1)
    asked[0]?.fail()
    expect(await Promise.all(both)).toEqual([{ kind: 'unreachable' }, { kind: 'unreachable' }])
    expect(asked).toHaveLength(1)
  })
})
