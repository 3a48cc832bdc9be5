import { describe, expect, it } from 'vitest'
import {
  canonicalBytes,
  fromBase64Url,
  LABELS,
  toBase64Url,
  verifyLabelled,
} from '../encoding/index.ts'
import { damageNotSeen } from '../testing/damaged.ts'
import {
  consumePrekeys,
  findPrekeys,
  markPublished,
  generatePrekeys,
  parsePrekeyState,
  pendingUpload,
  PREKEY_LIFETIME,
  PREKEY_RETENTION,
  PREKEY_STOCK,
  prekeyBundleSchema,
  prekeyUploadSchema,
  rotatePrekeys,
  signPrekey,
  topUpPrekeys,
  verifyBundle,
} from './index.ts'
import type { PrekeyState } from './index.ts'
import {
  asPeer,
  bundleOf,
  crypto,
  makeDevice,
  makePrekeys,
  seededRandom,
  throughStorage,
} from './testing/devices.ts'

const local = makeDevice('bob')
const random = seededRandom('more')
const making = { crypto, random, local }
const state = makePrekeys(local, 3)
const ephemeral = toBase64Url(new Uint8Array(32).fill(7))

function published(prekeys: PrekeyState): PrekeyState {
  const upload = pendingUpload(prekeys)
  return upload === null ? prekeys : markPublished(prekeys, upload)
}

describe('a bundle', () => {
  const bundle = bundleOf(local, state, 0)

  it('passes its schema and verifies against the device it belongs to', () => {
    expect(prekeyBundleSchema.safeParse(bundle).success).toBe(true)
    expect(verifyBundle(crypto, bundle, asPeer(local))).toEqual({ ok: true })
  })

  it('has all its members in their form, but for those that a pool may lack', () => {
    const reads = (value: unknown) => prekeyBundleSchema.safeParse(value).success
    expect(damageNotSeen(bundle, reads)).toEqual(['kem missing', 'one_time missing'])
    const { device } = bundle
    const suites = [0, 1, 255, 256].map((min_suite) =>
      reads({ ...bundle, device: { ...device, min_suite } }),
    )
    expect(suites).toEqual([false, true, true, false])
  })

  it('has its prekeys signed under the labels of their kinds', () => {
    for (const [prekey, label] of [
      [bundle.signed, LABELS.prekeySigned],
      [bundle.one_time, LABELS.prekeyOneTime],
      [bundle.kem, LABELS.prekeyKemLastResort],
    ] as const) {
      if (prekey === undefined) throw new Error('no prekey')
      const { id, key, sig } = prekey
      const bytes = canonicalBytes({ member: local.member, device: local.device, id, key })
      expect(verifyLabelled(crypto, local.ed25519, label, bytes, fromBase64Url(sig))).toBe(true)
    }
  })

  it('verifies without the prekeys that it may lack', () => {
    const { kem: _, ...bare } = bundleOf(local, state, null)
    expect(bare).not.toHaveProperty('one_time')
    expect(verifyBundle(crypto, bare, asPeer(local))).toEqual({ ok: true })
  })

  it('is refused for another device, other keys or another least suite', () => {
    const peer = asPeer(local)
    const other = makeDevice('mallory')
    for (const wrong of [
      { ...peer, member: other.member },
      { ...peer, device: other.device },
      { ...peer, ed25519: other.ed25519 },
      { ...peer, x25519: other.x25519 },
      { ...peer, minSuite: 2 },
    ])
      expect(verifyBundle(crypto, bundle, wrong)).toEqual({ ok: false, code: 'wrong_device' })
  })

  it('is refused where a prekey is offered as one of another kind', () => {
    const oneTime = bundle.one_time ?? bundle.signed
    const peer = asPeer(local)
    expect(verifyBundle(crypto, { ...bundle, signed: oneTime }, peer)).toEqual({
      ok: false,
      code: 'bad_signed_prekey',
    })
    expect(verifyBundle(crypto, { ...bundle, one_time: bundle.signed }, peer)).toEqual({
      ok: false,
      code: 'bad_one_time_prekey',
    })
  })

  it('is refused where a prekey is renamed, replaced or signed for another device', () => {
    const peer = asPeer(local)
    const { signed, kem } = bundle
    const sibling = { ...local, device: makeDevice('sibling').device }
    const bad = { ok: false, code: 'bad_signed_prekey' }
    const renamed = { ...signed, id: toBase64Url(new Uint8Array(12)) }
    const replaced = { ...signed, key: toBase64Url(new Uint8Array(32).fill(9)) }
    const moved = signPrekey(crypto, sibling, 'signed', signed.id, signed.key)
    for (const prekey of [renamed, replaced, moved])
      expect(verifyBundle(crypto, { ...bundle, signed: prekey }, peer)).toEqual(bad)
    const badKem = { ...(kem ?? signed), sig: signed.sig }
    expect(verifyBundle(crypto, { ...bundle, kem: badKem }, peer)).toEqual({
      ok: false,
      code: 'bad_kem_prekey',
    })
  })
})

describe('the private state', () => {
  it('survives storage', () => {
    expect(parsePrekeyState(throughStorage(state))).toEqual(state)
  })

  it('is not read from anything else', () => {
    const used = consumePrekeys(state, {
      signed: state.signed[0]?.id ?? '',
      one_time: null,
      kem: null,
      ephemeral,
    })
    const rotated = rotatePrekeys(used, { ...making, now: PREKEY_LIFETIME, caughtUp: true })
    for (const value of [used, rotated])
      expect(damageNotSeen(value, (damaged) => parsePrekeyState(damaged) !== null)).toEqual([])
    expect(parsePrekeyState({ ...state, kem: [] })).toBeNull()
    expect(parsePrekeyState({ ...state, signed: [] })).toBeNull()
    expect(parsePrekeyState(null)).toBeNull()
  })

  it('offers for upload what the node has not confirmed, without secrets', () => {
    const upload = pendingUpload(state)
    expect(upload?.one_time).toHaveLength(3)
    expect(prekeyUploadSchema.safeParse(upload).success).toBe(true)
    expect(JSON.stringify(upload)).not.toContain('secret')
    expect(pendingUpload(published(state))).toBeNull()
  })

  it('offers at most 200 at once, which is what an upload may hold, and then the others', () => {
    const reads = (value: unknown) => prekeyUploadSchema.safeParse(value).success
    const many = generatePrekeys({ ...making, now: 0, stock: 201 })
    const upload = pendingUpload(many)
    if (upload === null) throw new Error('nothing to upload')
    expect(upload.one_time).toHaveLength(200)
    expect(reads(upload)).toBe(true)
    expect(damageNotSeen({ ...upload }, reads)).toEqual([
      'signed missing',
      'kem missing',
      'one_time missing',
    ])
    const [first] = upload.one_time ?? []
    if (first === undefined) throw new Error('no one-time prekey')
    expect(reads({ one_time: [...(upload.one_time ?? []), first] })).toBe(false)
    const rest = pendingUpload(markPublished(many, upload))
    expect(rest?.one_time?.map(({ id }) => id)).toEqual([many.one_time[200]?.id])
    expect(rest).toEqual({ one_time: rest?.one_time })
  })

  it('takes for uploaded only what the node has confirmed', () => {
    const upload = pendingUpload(state)
    if (upload === null) throw new Error('nothing to upload')
    const { signed, kem, one_time = [] } = upload
    if (signed === undefined || kem === undefined) throw new Error('no prekeys')
    expect(pendingUpload(markPublished(state, { signed }))).toEqual({ kem, one_time })
    expect(pendingUpload(markPublished(state, { kem }))).toEqual({ signed, one_time })
    const some = markPublished(state, { one_time: one_time.slice(0, 1) })
    expect(pendingUpload(some)).toEqual({ signed, kem, one_time: one_time.slice(1) })
  })

  it('has a stock of 50 to 100 one-time prekeys to begin with', () => {
    expect(PREKEY_STOCK).toBe(100)
    const { one_time, signed, kem } = generatePrekeys({ ...making, now: 0 })
    expect(one_time).toHaveLength(100)
    expect(new Set([...one_time, ...signed, ...kem].map(({ id }) => id)).size).toBe(102)
    const empty = { ...state, one_time: [] }
    expect(topUpPrekeys(empty, { ...making, inStock: 20 }).one_time).toHaveLength(80)
  })

  it('keeps a thousand one-time prekeys for claims that led to nothing, and drops the oldest', () => {
    const [one] = state.one_time
    if (one === undefined) throw new Error('no one-time prekey')
    const claimed = Array.from({ length: 999 }, () => ({ ...one, published: true }))
    const topped = topUpPrekeys(
      { ...state, one_time: [{ ...one, id: 'oldest', published: true }, ...claimed] },
      { ...making, inStock: 0, stock: 1 },
    )
    expect(topped.one_time).toHaveLength(1000)
    expect(topped.one_time.map(({ id }) => id)).not.toContain('oldest')
    expect(topped.one_time.at(-1)?.published).toBe(false)
  })

  it('tops up to the stock, counting what is still to be uploaded', () => {
    expect(topUpPrekeys(state, { ...making, inStock: 0, stock: 3 })).toBe(state)
    const topped = topUpPrekeys(published(state), { ...making, inStock: 1, stock: 5 })
    expect(topped.one_time).toHaveLength(7)
    expect(pendingUpload(topped)?.one_time).toHaveLength(4)
    expect(pendingUpload(topped)?.signed).toBeUndefined()
  })

  it('replaces its signed prekey after a week and keeps the old one for two', () => {
    const fresh = published(state)
    const early = { ...making, now: PREKEY_LIFETIME - 1, caughtUp: true }
    expect(rotatePrekeys(fresh, early)).toBe(fresh)
    const rotated = rotatePrekeys(fresh, { ...early, now: PREKEY_LIFETIME })
    expect(rotated.signed).toHaveLength(2)
    expect(rotated.signed[1]?.id).toBe(fresh.signed[0]?.id)
    expect(pendingUpload(rotated)?.signed?.id).toBe(rotated.signed[0]?.id)
    expect(pendingUpload(rotated)?.kem?.id).toBe(rotated.kem[0]?.id)
    const later = PREKEY_LIFETIME + PREKEY_RETENTION
    const before = rotatePrekeys(rotated, { ...early, now: later - 1 })
    expect(before.signed.map(({ id }) => id)).toContain(fresh.signed[0]?.id)
    const after = rotatePrekeys(rotated, { ...early, now: later })
    expect(after.signed.map(({ id }) => id)).not.toContain(fresh.signed[0]?.id)
  })

  it('keeps a week and two weeks', () => {
    const day = 24 * 60 * 60 * 1000
    expect([PREKEY_LIFETIME, PREKEY_RETENTION]).toEqual([7 * day, 14 * day])
  })

  it('rotates the KEM prekey like the signed one, each by its own age', () => {
    const next = rotatePrekeys(published(state), {
      ...making,
      now: PREKEY_LIFETIME,
      caughtUp: true,
    })
    expect(next.kem).toHaveLength(2)
    expect(next.kem.map(({ created, retired }) => [created, retired])).toEqual([
      [PREKEY_LIFETIME, null],
      [0, PREKEY_LIFETIME],
    ])
    const uneven = { ...next, signed: [...state.signed] }
    const one = rotatePrekeys(uneven, { ...making, now: PREKEY_LIFETIME, caughtUp: true })
    expect(one.kem).toBe(next.kem)
    expect(one.signed).toHaveLength(2)
    const twice = rotatePrekeys(next, { ...making, now: 2 * PREKEY_LIFETIME, caughtUp: true })
    expect(twice.kem.map(({ retired }) => retired)).toEqual([
      null,
      2 * PREKEY_LIFETIME,
      PREKEY_LIFETIME,
    ])
    const other = rotatePrekeys(
      { ...next, kem: [...state.kem] },
      { ...making, now: PREKEY_LIFETIME, caughtUp: true },
    )
    expect(other.signed).toBe(next.signed)
    expect(other.kem).toHaveLength(2)
  })

  it('forgets a retired prekey also while the current one is still young', () => {
    const rotated = rotatePrekeys(state, { ...making, now: PREKEY_LIFETIME, caughtUp: true })
    const young = rotatePrekeys(rotated, {
      ...making,
      now: 2.5 * PREKEY_LIFETIME,
      caughtUp: false,
    })
    const now = PREKEY_LIFETIME + PREKEY_RETENTION - 1
    const current = rotatePrekeys(young, { ...making, now, caughtUp: true })
    const after = rotatePrekeys(current, { ...making, now: now + 1, caughtUp: true })
    expect(current.signed.map(({ id }) => id)).toContain(state.signed[0]?.id)
    expect(after.signed.map(({ id }) => id)).not.toContain(state.signed[0]?.id)
    expect(after.signed[0]).toBe(current.signed[0])
    expect(after.signed).toHaveLength(current.signed.length - 1)
  })

  it('forgets nothing before the device has caught up', () => {
    const rotated = rotatePrekeys(state, { ...making, now: PREKEY_LIFETIME, caughtUp: false })
    const much = { ...making, now: 10 * PREKEY_RETENTION }
    const behind = rotatePrekeys(rotated, { ...much, caughtUp: false })
    expect(behind.signed.map(({ id }) => id)).toContain(state.signed[0]?.id)
    const caughtUp = rotatePrekeys(behind, { ...much, caughtUp: true })
    expect(caughtUp.signed.map(({ id }) => id)).not.toContain(state.signed[0]?.id)
  })

  it('replaces a prekey that a wrong clock dated into the future', () => {
    const future = makePrekeys(local, 0, PREKEY_LIFETIME)
    const rotated = rotatePrekeys(future, { ...making, now: 0, caughtUp: true })
    expect(rotated.signed).toHaveLength(2)
  })

  it('gives a one-time prekey away once', () => {
    const use = {
      signed: state.signed[0]?.id ?? '',
      one_time: state.one_time[1]?.id ?? '',
      kem: null,
      ephemeral,
    }
    const [signed] = state.signed
    const oneTime = state.one_time[1]
    expect(findPrekeys(state, use)).toEqual({ ok: true, found: { signed, oneTime, kem: null } })
    const kem = state.kem[0]
    expect(findPrekeys(state, { ...use, one_time: null, kem: kem?.id ?? '' })).toEqual({
      ok: true,
      found: { signed, oneTime: null, kem },
    })
    for (const unknown of [{ signed: 'other' }, { one_time: 'other' }, { kem: 'other' }])
      expect(findPrekeys(state, { ...use, ...unknown })).toEqual({
        ok: false,
        code: 'unknown_prekey',
      })
    const used = consumePrekeys(state, use)
    expect(used.one_time).toHaveLength(2)
    expect(findPrekeys(used, use)).toEqual({ ok: false, code: 'unknown_prekey' })
  })

  it('remembers first ephemerals of an empty pool until the signed prekey goes', () => {
    const use = { signed: state.signed[0]?.id ?? '', one_time: null, kem: null, ephemeral }
    const used = consumePrekeys(state, use)
    expect(findPrekeys(used, use)).toEqual({ ok: false, code: 'replayed' })
    const other = { ...use, ephemeral: toBase64Url(new Uint8Array(32).fill(8)) }
    expect(findPrekeys(used, other).ok).toBe(true)
    const both = consumePrekeys(used, other)
    for (const seen of [use, other])
      expect(findPrekeys(both, seen)).toEqual({ ok: false, code: 'replayed' })
    const next = rotatePrekeys(used, { ...making, now: PREKEY_LIFETIME, caughtUp: true })
    expect(findPrekeys(next, { ...use, signed: next.signed[0]?.id ?? '' }).ok).toBe(true)
    const withOneTime = { ...use, one_time: state.one_time[0]?.id ?? '' }
    expect(findPrekeys(used, withOneTime).ok).toBe(true)
    const rotated = rotatePrekeys(used, { ...making, now: PREKEY_LIFETIME, caughtUp: true })
    expect(rotated.first_ephemerals).toHaveLength(1)
    const late = PREKEY_LIFETIME + PREKEY_RETENTION
    const gone = rotatePrekeys(rotated, { ...making, now: late, caughtUp: true })
    expect(gone.first_ephemerals).toHaveLength(0)
    expect(findPrekeys(gone, use)).toEqual({ ok: false, code: 'unknown_prekey' })
  })
})
