import { describe, expect, it } from 'vitest'
import { toBase64Url } from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { damageNotSeen } from '../testing/damaged.ts'
import { manifestEntrySchema, signedEntrySchema } from './manifest-entry.ts'
import { secretOf } from './testing/account.ts'

const id = (name: string): string => toBase64Url(secretOf(name))
const deviceId = (name: string): string => toBase64Url(secretOf(name).subarray(0, 12))
const reads = (value: unknown): boolean => manifestEntrySchema.safeParse(value).success

const device = { id: deviceId('d'), ed25519: id('e'), x25519: id('x'), min_suite: 1 }
const recovery = { ed25519: id('re'), x25519: id('rx') }
const common = { v: 1, account: id('account'), height: 1, prev: id('prev'), by: device.id }
const byRecovery = { ...common, by: 'recovery' }
const request = id('request')

const genesis: JsonObject = {
  v: 1,
  kind: 'genesis',
  account: null,
  height: 0,
  prev: null,
  by: device.id,
  user_id: '@alice:example.org',
  nonce: id('nonce'),
  device,
  recovery,
  bot: false,
}
const removal: JsonObject = { ...common, kind: 'remove_device', devices: [device.id] }
const heal: JsonObject = {
  ...common,
  kind: 'heal',
  heads: [id('a'), id('b')],
  devices: [device.id],
}

describe('an entry', () => {
  it.each<readonly [string, JsonObject, readonly string[]]>([
    // A name, a server and a reason are still that when they lose or gain a character.
    ['genesis', genesis, []],
    ['add_device', { ...common, kind: 'add_device', device }, []],
    ['remove_device', removal, []],
    [
      'remove_device with a reason',
      { ...removal, reason: 'lost' },
      ['reason missing', 'reason short', 'reason long'],
    ],
    ['replace_recovery', { ...common, kind: 'replace_recovery', recovery }, []],
    ['recover_device', { ...byRecovery, kind: 'recover_device', device }, []],
    ['activate', { ...common, kind: 'activate', request }, []],
    ['activate by the recovery key', { ...byRecovery, kind: 'activate', request }, []],
    ['veto', { ...common, kind: 'veto', request }, []],
    ['veto by the recovery key', { ...byRecovery, kind: 'veto', request }, []],
    ['heal', heal, []],
    ['contest', { ...common, kind: 'contest', removal: request, devices: [device.id] }, []],
    ['epoch', { ...common, kind: 'epoch' }, []],
  ])('has all its members in their form: %s', (_, entry, passing) => {
    expect(damageNotSeen(entry, reads)).toEqual(passing)
    expect(manifestEntrySchema.parse({ ...entry, more: 1 })).toHaveProperty('more', 1)
  })

  it('is by the recovery key only where a device is not needed, and the other way round', () => {
    for (const entry of [
      { ...byRecovery, kind: 'add_device', device },
      { ...byRecovery, kind: 'replace_recovery', recovery },
      { ...byRecovery, kind: 'heal', heads: [id('a'), id('b')], devices: [] },
      { ...byRecovery, kind: 'contest', removal: request, devices: [device.id] },
      { ...byRecovery, kind: 'epoch' },
      { ...genesis, by: 'recovery' },
      { ...common, kind: 'recover_device', device },
    ])
      expect([entry, reads(entry)]).toEqual([entry, false])
  })

  it('stands at a height from 1 to 1,023, a genesis entry at 0', () => {
    const at = (height: number) => reads({ ...common, kind: 'epoch', height })
    expect([0, 1, 1023, 1024].map(at)).toEqual([false, true, true, false])
    expect(reads({ ...genesis, height: 1 })).toBe(false)
    expect(reads({ ...genesis, account: id('account') })).toBe(false)
    expect(reads({ ...genesis, prev: id('prev') })).toBe(false)
  })

  it('states a minimum suite in one byte', () => {
    const of = (min_suite: number) =>
      reads({ ...common, kind: 'add_device', device: { ...device, min_suite } })
    expect([0, 1, 255, 256].map(of)).toEqual([false, true, true, false])
  })

  it('removes 1 to 16 devices, gives a reason of 64 characters, heals two heads', () => {
    const ids = (length: number) => Array.from({ length }, (_, n) => deviceId(String(n)))
    const removes = (length: number) => reads({ ...removal, devices: ids(length) })
    expect([0, 1, 16, 17].map(removes)).toEqual([false, true, true, false])
    const contests = (length: number) =>
      reads({ ...common, kind: 'contest', removal: request, devices: ids(length) })
    expect([0, 1, 16, 17].map(contests)).toEqual([false, true, true, false])
    const heals = (length: number) => reads({ ...heal, devices: ids(length) })
    expect([0, 16, 17].map(heals)).toEqual([true, true, false])
    const heads = (length: number) =>
      reads({ ...heal, heads: Array.from({ length }, (_, n) => id(String(n))) })
    expect([0, 1, 2, 3].map(heads)).toEqual([false, false, true, false])
    const reason = (length: number) => reads({ ...removal, reason: 'r'.repeat(length) })
    expect([0, 64, 65].map(reason)).toEqual([true, true, false])
  })

  it('travels with its signatures and no others', () => {
    const sig = toBase64Url(new Uint8Array(64).fill(7))
    const signatures = { by: sig, device: sig, recovery: sig, new_recovery: sig }
    const signed = (value: unknown) => signedEntrySchema.safeParse(value).success
    const passing = damageNotSeen({ entry: { kind: 'x' }, signatures }, signed)
    expect(passing.filter((what) => !what.startsWith('entry.'))).toEqual([
      'signatures.by missing',
      'signatures.device missing',
      'signatures.recovery missing',
      'signatures.new_recovery missing',
    ])
    expect(signed({ entry: {}, signatures: { ...signatures, other: sig } })).toBe(false)
    expect(signed({ entry: { x: undefined }, signatures })).toBe(false)
  })
})
