import { describe, expect, it } from 'vitest'
import { toBase64Url } from '../encoding/index.ts'
import {
  consumePrekeys,
  findPrekeys,
  markPublished,
  parsePrekeyState,
  pendingUpload,
  PREKEY_LIFETIME,
  PREKEY_RETENTION,
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
    expect(findPrekeys(state, use).ok).toBe(true)
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
    const rotated = rotatePrekeys(used, { ...making, now: PREKEY_LIFETIME, caughtUp: true })
    expect(rotated.first_ephemerals).toHaveLength(1)
    const late = PREKEY_LIFETIME + PREKEY_RETENTION
    const gone = rotatePrekeys(rotated, { ...making, now: late, caughtUp: true })
    expect(gone.first_ephemerals).toHaveLength(0)
    expect(findPrekeys(gone, use)).toEqual({ ok: false, code: 'unknown_prekey' })
  })
})
