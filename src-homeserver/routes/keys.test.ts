import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  generatePrekeys,
  pendingUpload,
  SUITE_HYBRID,
  SUITE_X25519,
  verifyBundle,
} from '../../src-shared/protocol/index.ts'
import type { PrekeyUpload } from '../../src-shared/protocol/index.ts'
import { defaultRateLimits } from '../config.ts'
import type { TestDevice } from '../../conformance/device.ts'
import { startNode } from '../testing/start-node.ts'
import type { TestNode } from '../testing/start-node.ts'
import { crypto, random, register } from '../../conformance/device.ts'

let node: TestNode
let alice: TestDevice
let bob: TestDevice
beforeAll(async () => {
  node = await startNode()
  alice = await register(node, 'alice')
  bob = await register(node, 'bob')
})
afterAll(() => node.stop())

function upload(device: TestDevice, stock: number): PrekeyUpload {
  const made = generatePrekeys({ crypto, random, now: Date.now(), local: device.local, stock })
  return pendingUpload(made) ?? {}
}

const claim = (by: TestDevice, of: TestDevice) =>
  by.ok('claimKeys', {
    body: { devices: [{ user_id: of.userId, member: of.member, device: of.id }] },
  })

describe('prekeys', () => {
  it('are handed out once each, then the signed prekey alone', async () => {
    const body = upload(alice, 2)
    expect(await alice.ok('uploadKeys', { body })).toEqual({ one_time_prekeys: 2 })
    const ids: unknown[] = []
    for (let count = 0; count < 3; count++) {
      const { bundles } = await claim(bob, alice)
      const bundle = bundles[0]?.bundle
      if (bundle === undefined) throw new Error('no bundle')
      expect(verifyBundle(crypto, bundle, alice.local)).toEqual({ ok: true })
      ids.push(bundle.one_time?.id)
    }
    expect(new Set(ids)).toEqual(new Set([...(body.one_time ?? []).map(({ id }) => id), undefined]))
  })

  it('are handed out for every handshake suite that the node names', async () => {
    const body = upload(alice, 1)
    expect(body.kem).toBeDefined()
    await alice.ok('uploadKeys', { body })
    const { bundles } = await claim(bob, alice)
    expect(bundles[0]?.bundle.kem).toEqual(body.kem)
    expect((await bob.ok('capabilities')).suites).toEqual([SUITE_X25519, SUITE_HYBRID])
  })

  it('do not come back when an upload is repeated after a claim', async () => {
    const body = upload(alice, 1)
    await alice.ok('uploadKeys', { body })
    const { bundles } = await claim(bob, alice)
    expect(bundles[0]?.bundle.one_time?.id).toBe(body.one_time?.[0]?.id)
    expect(await alice.ok('uploadKeys', { body })).toEqual({ one_time_prekeys: 0 })
  })

  it('are given to one claimer each when many ask at once', async () => {
    const body = upload(alice, 10)
    await alice.ok('uploadKeys', { body })
    const answers = await Promise.all(Array.from({ length: 10 }, () => claim(bob, alice)))
    const ids = answers.map(({ bundles }) => bundles[0]?.bundle.one_time?.id)
    expect(new Set(ids).size).toBe(10)
  })

  it('are refused where the signature is not of this device and kind', async () => {
    const good = upload(alice, 1)
    const swapped = { one_time: good.signed === undefined ? [] : [good.signed] }
    const foreign = upload(bob, 1)
    for (const body of [swapped, foreign]) {
      const answer = await alice.call('uploadKeys', { body })
      expect([answer.status, answer.body.errcode]).toEqual([400, 'M_INVALID_PARAM'])
    }
  })

  it('wake the owner when one was claimed, with what is left', async () => {
    await alice.ok('uploadKeys', { body: upload(alice, 3) })
    const { next, account } = await alice.sync()
    const waiting = alice.sync(next, 20_000)
    await claim(bob, alice)
    expect((await waiting).account.one_time_prekeys).toBe(account.one_time_prekeys - 1)
  })

  it('of unknown devices, other members and other servers are missing', async () => {
    await alice.uploadKeys()
    const { member, id: device, userId: user_id } = alice
    const wanted = [
      { user_id, member, device: 'A'.repeat(16) },
      { user_id, member: bob.member, device },
      { user_id: '@alice:elsewhere.test', member, device },
      { user_id: bob.userId, member: bob.member, device: bob.id },
    ]
    const { bundles, missing } = await bob.ok('claimKeys', { body: { devices: wanted } })
    expect(bundles).toEqual([])
    expect(missing).toEqual(wanted.map((one) => ({ member: one.member, device: one.device })))
  })

  it('keep their one-time pool from a claimer who asks too often', async () => {
    const limited = await startNode({
      rateLimits: { ...defaultRateLimits, oneTimePrekeys: { max: 1, windowMs: 60_000 } },
    })
    try {
      const owner = await register(limited, 'owner')
      const claimer = await register(limited, 'claimer')
      await owner.uploadKeys()
      expect((await claim(claimer, owner)).bundles[0]?.bundle.one_time).toBeDefined()
      const second = (await claim(claimer, owner)).bundles[0]?.bundle
      expect(second?.signed).toBeDefined()
      expect(second?.one_time).toBeUndefined()
    } finally {
      await limited.stop()
    }
  })
})
