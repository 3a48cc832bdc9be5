import { describe, expect, it } from 'vitest'
import { canonicalBytes, fromHex, parseJson, toBase64Url } from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import {
  activateRequest,
  activeDevices,
  deviceKeysOf,
  manifestEntryHash,
  removeDevices,
  replaceRecovery,
  recoveryKeysOf,
  replayStoredManifest,
  signedEntrySchema,
  signEntry,
  verifyManifest,
  vetoRequest,
} from './index.ts'
import type { SignedEntry } from './index.ts'
import {
  add,
  after,
  begin,
  craft,
  crypto,
  device,
  genesis,
  secretOf,
  verdict,
  words,
} from './testing/account.ts'

const first = device('first')
const second = device('second')
const third = device('third')
const oldWords = words('old')
const newWords = words('new')
const activeIds = (state: Parameters<typeof activeDevices>[0]): readonly string[] =>
  activeDevices(state).map(({ id }) => id)
const two = (): ReturnType<typeof begin> => after(begin(), (state) => add(state, first, second))

describe('a genesis entry', () => {
  it('gives the account its fingerprint, first device and recovery keys', () => {
    const signed = genesis()
    const state = begin()
    expect(state.fingerprint).toBe(manifestEntryHash(crypto, signed.entry))
    expect(state.head).toBe(state.fingerprint)
    expect(state.height).toBe(0)
    expect(state.userId).toBe('@alice:example.org')
    expect(state.bot).toBe(false)
    expect(activeIds(state)).toEqual([first.id])
    expect(state.recovery).toEqual(recoveryKeysOf(crypto, oldWords))
  })

  it('survives the wire as it is', () => {
    const signed = genesis()
    const arrived = parseJson(canonicalBytes(signed as unknown as JsonObject), { maxBytes: 4096 })
    const parsed = signedEntrySchema.parse(arrived)
    expect(parsed).toEqual(signed)
    expect(verifyManifest(crypto, [parsed])).toMatchObject({ ok: true })
  })

  it.each<[string, (signed: SignedEntry) => SignedEntry, string]>([
    [
      'without the device',
      ({ entry, signatures: { new_recovery = '' } }) => ({ entry, signatures: { new_recovery } }),
      'missing_signature',
    ],
    [
      'without the recovery key',
      ({ entry, signatures: { by = '' } }) => ({ entry, signatures: { by } }),
      'missing_signature',
    ],
    [
      'with the two signatures swapped',
      ({ entry, signatures: { by = '', new_recovery = '' } }) => ({
        entry,
        signatures: { by: new_recovery, new_recovery: by },
      }),
      'bad_signature',
    ],
    [
      'with a signature too many',
      ({ entry, signatures }) => ({
        entry,
        signatures: { ...signatures, device: signatures.by ?? '' },
      }),
      'unexpected_signature',
    ],
    [
      'with a changed field',
      ({ entry, signatures }) => ({ entry: { ...entry, bot: true }, signatures }),
      'bad_signature',
    ],
    [
      'with an added field',
      ({ entry, signatures }) => ({ entry: { ...entry, extra: 1 }, signatures }),
      'bad_signature',
    ],
    [
      'with an unknown version',
      ({ entry, signatures }) => ({ entry: { ...entry, v: 2 }, signatures }),
      'malformed',
    ],
    [
      'with a height',
      ({ entry, signatures }) => ({ entry: { ...entry, height: 1 }, signatures }),
      'malformed',
    ],
    [
      'with a bad user id',
      ({ entry, signatures }) => ({ entry: { ...entry, user_id: '@Alice:x' }, signatures }),
      'malformed',
    ],
    [
      'with something JSON cannot say',
      ({ entry, signatures }) => ({ entry: { ...entry, extra: 0.5 }, signatures }),
      'malformed',
    ],
    [
      'above 2 KiB',
      ({ entry, signatures }) => ({ entry: { ...entry, extra: 'x'.repeat(2048) }, signatures }),
      'too_large',
    ],
  ])('is refused %s', (_, change, code) => {
    expect(verifyManifest(crypto, [change(genesis())])).toEqual({ ok: false, code, height: 0 })
  })

  it('is refused with a key of small order or with a torsion component', () => {
    for (const key of [
      '0100000000000000000000000000000000000000000000000000000000000000',
      '5b28b36e7162da721a2776e452cd97196ac8bbcd40887276af0309d9665b1dad',
    ]) {
      const { entry, signatures } = genesis()
      const keys = deviceKeysOf(crypto, first)
      const bad = { ...entry, device: { ...keys, ed25519: toBase64Url(fromHex(key)) } }
      expect(verifyManifest(crypto, [{ entry: bad, signatures }])).toMatchObject({
        code: 'bad_key',
      })
    }
  })

  it('is refused with an agreement key of low order or spelled a second way', () => {
    for (const key of [
      '00'.repeat(32),
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      // 9 + p
      'f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    ]) {
      const { entry, signatures } = genesis()
      const keys = deviceKeysOf(crypto, first)
      const bad = { ...entry, device: { ...keys, x25519: toBase64Url(fromHex(key)) } }
      expect(verifyManifest(crypto, [{ entry: bad, signatures }])).toMatchObject({
        code: 'bad_key',
      })
    }
  })

  it('is refused where one key serves twice', () => {
    const recovery = { ...oldWords, ed25519: first.ed25519 }
    expect(verifyManifest(crypto, [genesis(first, recovery)])).toMatchObject({ code: 'reused_key' })
  })

  it('must come first and only there', () => {
    const state = begin()
    expect(verifyManifest(crypto, [])).toMatchObject({ code: 'not_genesis' })
    expect(verifyManifest(crypto, [add(state, first, second)])).toMatchObject({
      code: 'not_genesis',
    })
    expect(verdict(state, genesis())).toBe('not_genesis')
  })
})

describe('adding a device', () => {
  it('takes an active device and the new one', () => {
    const state = two()
    expect(activeIds(state)).toEqual([first.id, second.id])
    expect(state.devices.get(second.id)).toMatchObject({ status: 'active', addedAt: 1 })
    expect(activeIds(after(state, (next) => add(next, second, third)))).toHaveLength(3)
  })

  it('keeps fields it does not know in the hash', () => {
    const state = begin()
    const fields = { kind: 'add_device', by: first.id, device: deviceKeysOf(crypto, second) }
    const signers = { by: first.ed25519, device: second.ed25519 }
    const plain = after(state, () => craft(state, fields, signers))
    const more = after(state, () => craft(state, { ...fields, later: { a: 1 } }, signers))
    expect(more.head).not.toBe(plain.head)
    expect(activeIds(more)).toEqual(activeIds(plain))
  })

  it('is refused without or with a wrong proof of possession', () => {
    const state = begin()
    const signed = add(state, first, second)
    const { by = '', device: possession = '' } = signed.signatures
    expect(verdict(state, { entry: signed.entry, signatures: { by } })).toBe('missing_signature')
    const foreign = signEntry(crypto, 'device', third.ed25519, signed.entry)
    expect(verdict(state, { entry: signed.entry, signatures: { by, device: foreign } })).toBe(
      'bad_signature',
    )
    // The right key in another role: the labels differ.
    const role = signEntry(crypto, 'by', second.ed25519, signed.entry)
    expect(verdict(state, { entry: signed.entry, signatures: { by, device: role } })).toBe(
      'bad_signature',
    )
    expect(
      verdict(state, { entry: signed.entry, signatures: { by: possession, device: possession } }),
    ).toBe('bad_signature')
  })

  it('is refused from an unknown, removed or impersonated device', () => {
    const state = two()
    expect(verdict(state, add(state, third, device('fourth')))).toBe('unknown_device')
    const removed = after(state, (next) => removeDevices(crypto, next, first, [second.id]))
    expect(verdict(removed, add(removed, second, third))).toBe('device_not_active')
    const impostor = { id: first.id, ed25519: second.ed25519 }
    expect(verdict(state, add(state, impostor, third))).toBe('bad_signature')
  })

  it('is refused where the id or a key was there before, even of a removed device', () => {
    const state = after(two(), (next) => removeDevices(crypto, next, first, [second.id]))
    expect(verdict(state, add(state, first, second))).toBe('reused_device_id')
    expect(verdict(state, add(state, first, { ...third, id: second.id }))).toBe('reused_device_id')
    expect(verdict(state, add(state, first, { ...third, ed25519: second.ed25519 }))).toBe(
      'reused_key',
    )
    expect(verdict(state, add(state, first, { ...third, x25519: second.x25519 }))).toBe(
      'reused_key',
    )
    expect(verdict(state, add(state, first, { ...third, x25519: oldWords.x25519 }))).toBe(
      'reused_key',
    )
    // One curve's key in the other curve's place.
    const keys = deviceKeysOf(crypto, third)
    const crossed = craft(
      state,
      { kind: 'add_device', by: first.id, device: { ...keys, x25519: keys.ed25519 } },
      { by: first.ed25519, device: third.ed25519 },
    )
    expect(verdict(state, crossed)).toBe('reused_key')
  })

  it('stops at 16 active devices, and goes on after a removal', () => {
    let state = begin()
    for (let index = 1; index < 16; index++)
      state = after(state, (next) => add(next, first, device(`number ${index}`)))
    expect(activeIds(state)).toHaveLength(16)
    const more = device('one more')
    expect(verdict(state, add(state, first, more))).toBe('too_many_devices')
    state = after(state, (next) => removeDevices(crypto, next, first, [device('number 3').id]))
    expect(verdict(state, add(state, first, more))).toBe('accepted')
  })
})

describe('the chain', () => {
  it('names account, height and head', () => {
    const state = begin()
    const fields = { kind: 'epoch', by: first.id }
    const sign = { by: first.ed25519 }
    const other = toBase64Url(secretOf('another hash'))
    expect(verdict(state, craft(state, fields, sign))).toBe('accepted')
    expect(verdict(state, craft(state, { ...fields, account: other }, sign))).toBe('wrong_account')
    expect(verdict(state, craft(state, { ...fields, height: 2 }, sign))).toBe('wrong_height')
    expect(verdict(state, craft(state, { ...fields, prev: other }, sign))).toBe('wrong_prev')
    expect(verdict(state, craft(state, { ...fields, prev: null }, sign))).toBe('malformed')
    expect(verdict(state, craft(state, { ...fields, kind: 'unheard_of' }, sign))).toBe('malformed')
    expect(verdict(state, craft(state, { ...fields, kind: 'moved' }, sign))).toBe('malformed')
  })

  it('is verified whole: a missing, doubled or swapped entry is found', () => {
    const entries: SignedEntry[] = [genesis()]
    let state = begin()
    for (const added of [second, third]) {
      const signed = add(state, first, added)
      entries.push(signed)
      state = after(state, () => signed)
    }
    const [one, next, last] = entries
    if (one === undefined || next === undefined || last === undefined) throw new Error('short')
    expect(verifyManifest(crypto, entries)).toMatchObject({ ok: true, state: { head: state.head } })
    expect(verifyManifest(crypto, [one, last])).toMatchObject({ code: 'wrong_height', height: 1 })
    expect(verifyManifest(crypto, [one, next, next])).toMatchObject({ code: 'wrong_height' })
    expect(verifyManifest(crypto, [one, last, next])).toMatchObject({ code: 'wrong_height' })
  })

  it('leaves the state it stands on untouched', () => {
    const state = begin()
    const before = structuredClone(state)
    after(state, (next) => add(next, first, second))
    expect(state).toEqual(before)
  })

  it('replays what was stored to the same state, without trusting a changed entry', () => {
    const stored = [genesis()]
    let state = begin()
    const signed = add(state, first, second)
    stored.push(signed)
    state = after(state, () => signed)
    expect(replayStoredManifest(crypto, stored)).toEqual({ ok: true, state })
    const changed = { ...genesis(), entry: { ...genesis().entry, bot: true } }
    expect(replayStoredManifest(crypto, [changed, signed])).toMatchObject({ code: 'wrong_account' })
  })

  it('ends at 1,024 entries', () => {
    const stored = [genesis()]
    let state = begin()
    for (let height = 1; height < 1024; height++) {
      const signed = craft(state, { kind: 'epoch', by: first.id }, {})
      stored.push(signed)
      state = { ...state, height, head: manifestEntryHash(crypto, signed.entry) }
    }
    const full = replayStoredManifest(crypto, stored)
    if (!full.ok) throw new Error(full.code)
    expect(full.state.height).toBe(1023)
    const beyond = craft(full.state, { kind: 'epoch', by: first.id }, { by: first.ed25519 })
    expect(verdict(full.state, beyond)).toBe('too_many_entries')
  })
})

describe('removing devices', () => {
  it('works at once, by any active device, itself included', () => {
    const removed = after(two(), (next) => removeDevices(crypto, next, second, [first.id], 'lost'))
    expect(activeIds(removed)).toEqual([second.id])
    expect(removed.devices.get(first.id)).toMatchObject({ status: 'removed', removedAt: 2 })
    const out = after(two(), (next) => removeDevices(crypto, next, second, [second.id]))
    expect(activeIds(out)).toEqual([first.id])
  })

  it('is refused for unknown, removed, doubled or no devices', () => {
    const state = two()
    const remove = (...ids: readonly string[]): SignedEntry =>
      removeDevices(crypto, state, first, ids)
    expect(verdict(state, remove(third.id))).toBe('unknown_device')
    expect(verdict(state, remove(second.id, second.id))).toBe('duplicate_device')
    expect(verdict(state, remove())).toBe('malformed')
    const removed = after(state, () => remove(second.id))
    expect(verdict(removed, removeDevices(crypto, removed, first, [second.id]))).toBe(
      'device_not_active',
    )
  })

  it('takes the device, not the recovery key', () => {
    const state = two()
    const fields = { kind: 'remove_device', devices: [second.id] }
    const byWords = craft(state, { ...fields, by: 'recovery' }, { recovery: oldWords.ed25519 })
    expect(verdict(state, byWords)).toBe('malformed')
    const both = craft(
      state,
      { ...fields, by: first.id },
      { by: first.ed25519, recovery: oldWords.ed25519 },
    )
    expect(verdict(state, both)).toBe('unexpected_signature')
  })
})

describe('replacing the recovery key', () => {
  it('is immediate with a device and the old key', () => {
    const state = after(begin(), (next) => replaceRecovery(crypto, next, first, newWords, oldWords))
    expect(state.recovery).toEqual(recoveryKeysOf(crypto, newWords))
    expect(state.pendingRecovery).toBeNull()
  })

  it('waits with a device alone, until a device activates it', () => {
    const asked = after(two(), (next) => replaceRecovery(crypto, next, first, newWords, null))
    expect(asked.recovery).toEqual(recoveryKeysOf(crypto, oldWords))
    expect(asked.pendingRecovery).toMatchObject({ request: asked.head, by: first.id })
    const done = after(asked, (next) => activateRequest(crypto, next, first, asked.head))
    expect(done.recovery).toEqual(recoveryKeysOf(crypto, newWords))
    expect(done.pendingRecovery).toBeNull()
  })

  it('can be vetoed by another device, and is then void', () => {
    const asked = after(two(), (next) => replaceRecovery(crypto, next, first, newWords, null))
    const vetoed = after(asked, (next) => vetoRequest(crypto, next, second, asked.head))
    expect(vetoed.pendingRecovery).toBeNull()
    expect(verdict(vetoed, activateRequest(crypto, vetoed, first, asked.head))).toBe(
      'unknown_request',
    )
    expect(vetoed.recovery).toEqual(recoveryKeysOf(crypto, oldWords))
  })

  it('can be neither vetoed nor activated by a recovery key', () => {
    const asked = after(two(), (next) => replaceRecovery(crypto, next, first, newWords, null))
    for (const secrets of [oldWords, newWords])
      for (const make of [vetoRequest, activateRequest])
        expect(verdict(asked, make(crypto, asked, secrets, asked.head))).toBe('not_allowed')
  })

  it('falls with the device that asked', () => {
    const asked = after(two(), (next) => replaceRecovery(crypto, next, first, newWords, null))
    const removed = after(asked, (next) => removeDevices(crypto, next, second, [first.id]))
    expect(removed.pendingRecovery).toBeNull()
  })

  it('is refused without proof by the new key, with a wrong old key, and twice at once', () => {
    const state = two()
    const { entry, signatures } = replaceRecovery(crypto, state, first, newWords, oldWords)
    const { by = '', recovery = '', new_recovery = '' } = signatures
    expect(verdict(state, { entry, signatures: { by, recovery } })).toBe('missing_signature')
    expect(verdict(state, { entry, signatures: { by, recovery, new_recovery: recovery } })).toBe(
      'bad_signature',
    )
    expect(verdict(state, { entry, signatures: { new_recovery, recovery } })).toBe(
      'missing_signature',
    )
    const wrongOld = replaceRecovery(crypto, state, first, newWords, words('someone'))
    expect(verdict(state, wrongOld)).toBe('bad_signature')
    const asked = after(state, (next) => replaceRecovery(crypto, next, first, newWords, null))
    const again = replaceRecovery(crypto, asked, second, words('third'), null)
    expect(verdict(asked, again)).toBe('request_pending')
  })

  it('never brings back a key that was there before', () => {
    const state = after(begin(), (next) => replaceRecovery(crypto, next, first, newWords, oldWords))
    expect(verdict(state, replaceRecovery(crypto, state, first, oldWords, newWords))).toBe(
      'reused_key',
    )
  })
})
