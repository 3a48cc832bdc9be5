/** What the rules of each kind ask in their order (spec 2.5, 2.6), and what a later entry finds of an earlier one. */
import { describe, expect, it } from 'vitest'
import { canonicalBytes, fromBase64Url, toBase64Url } from '../encoding/index.ts'
import {
  activateRequest,
  activeDevices,
  compareManifests,
  contestRemoval,
  createGenesis,
  deviceKeysOf,
  devicesActiveInBoth,
  healFork,
  isForkHealed,
  manifestTrust,
  MAX_ENTRY_BYTES,
  RECOVERY_WAIT,
  recoverDevice,
  removeDevices,
  REPLACEMENT_WAIT,
  replaceRecovery,
  signEntry,
  verifyEntrySignature,
  verifyManifest,
  vetoRequest,
} from './index.ts'
import type { DeviceSecrets, ManifestState, SignedEntry } from './index.ts'
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

const [first, second, third] = [device('first'), device('second'), device('third')]
const [fresh, thief] = [device('fresh'), device('thief')]
const [oldWords, newWords, laterWords] = [words('old'), words('new'), words('later')]
const ids = (state: ManifestState): readonly string[] => activeDevices(state).map(({ id }) => id)
const two = after(begin(), (state) => add(state, first, second))
const three = after(two, (state) => add(state, first, third))

describe('a genesis entry', () => {
  it('is by the device that it brings', () => {
    const { entry } = genesis()
    const other = { ...entry, by: second.id }
    const signatures = {
      by: signEntry(crypto, 'by', first.ed25519, other),
      new_recovery: signEntry(crypto, 'new_recovery', oldWords.ed25519, other),
    }
    const result = verifyManifest(crypto, [{ entry: other, signatures }])
    expect(result).toMatchObject({ ok: false, code: 'not_allowed' })
  })

  it('is made with a nonce of 32 bytes', () => {
    for (const length of [0, 31, 33])
      expect(() =>
        createGenesis(crypto, {
          userId: '@alice:example.org',
          nonce: new Uint8Array(length),
          device: first,
          recovery: oldWords,
          bot: false,
        }),
      ).toThrow()
  })
})

describe('a device that recovery brings', () => {
  const asking = (changes: object, by: DeviceSecrets = fresh): SignedEntry =>
    craft(
      two,
      {
        kind: 'recover_device',
        by: 'recovery',
        device: { ...deviceKeysOf(crypto, by), ...changes },
      },
      { recovery: oldWords.ed25519, device: by.ed25519 },
    )

  it('has keys of its own that are fit for use, as any other has', () => {
    expect(verdict(two, asking({}))).toBe('accepted')
    const known = deviceKeysOf(crypto, second)
    expect(verdict(two, asking({ ed25519: known.ed25519 }, second))).toBe('reused_device_id')
    expect(verdict(two, asking({ x25519: known.x25519 }))).toBe('reused_key')
    expect(verdict(two, asking({ ed25519: known.ed25519 }))).toBe('reused_key')
    const small = toBase64Url(new Uint8Array(32))
    expect(verdict(two, asking({ x25519: small }))).toBe('bad_key')
    expect(verdict(two, asking({ ed25519: small }))).toBe('bad_key')
  })
})

describe('the steps that a state remembers', () => {
  it('say of each entry who made it and what came of it', () => {
    const asked = after(three, (state) => recoverDevice(crypto, state, fresh, oldWords))
    const state = after(
      asked,
      (next) => activateRequest(crypto, next, first, asked.head),
      (next) => removeDevices(crypto, next, second, [first.id, third.id], 'lost'),
      (next) => replaceRecovery(crypto, next, second, newWords, oldWords),
      (next) => replaceRecovery(crypto, next, second, laterWords, null),
    )
    const vetoed = after(state, (next) => vetoRequest(crypto, next, fresh, state.head))
    const none = { admits: null, removes: [], about: null, withOldRecovery: false, heads: [] }
    expect(vetoed.steps.map(({ hash: _, ...step }) => step)).toEqual([
      { ...none, kind: 'genesis', by: first.id, admits: first.id },
      { ...none, kind: 'add_device', by: first.id, admits: second.id },
      { ...none, kind: 'add_device', by: first.id, admits: third.id },
      { ...none, kind: 'recover_device', by: 'recovery', admits: fresh.id },
      { ...none, kind: 'activate', by: first.id, admits: fresh.id, about: asked.head },
      { ...none, kind: 'remove_device', by: second.id, removes: [first.id, third.id] },
      { ...none, kind: 'replace_recovery', by: second.id, withOldRecovery: true },
      { ...none, kind: 'replace_recovery', by: second.id },
      { ...none, kind: 'veto', by: fresh.id, about: state.head },
    ])
    expect(vetoed.steps.at(-1)?.hash).toBe(vetoed.head)
    const right = after(two, (next) => removeDevices(crypto, next, second, [first.id]))
    const healed = after(three, (next) => healFork(crypto, next, second, right.head, [third.id]))
    expect(healed.steps.at(-1)).toMatchObject({
      kind: 'heal',
      removes: [third.id],
      heads: [three.head, right.head],
    })
  })

  it('include why a device went, where it was said', () => {
    const { entry } = removeDevices(crypto, two, first, [second.id], 'stolen')
    expect(entry).toMatchObject({ devices: [second.id], reason: 'stolen' })
    expect(removeDevices(crypto, two, first, [second.id]).entry).not.toHaveProperty('reason')
  })
})

describe('what waits', () => {
  const asked = after(three, (state) => recoverDevice(crypto, state, fresh, oldWords))
  const both = after(asked, (state) => replaceRecovery(crypto, state, second, newWords, null))

  it('goes on waiting when another device is removed', () => {
    const state = after(both, (next) => removeDevices(crypto, next, first, [third.id]))
    expect(state.pendingDevice).toEqual(both.pendingDevice)
    expect(state.pendingRecovery).toEqual(both.pendingRecovery)
    const without = after(both, (next) => removeDevices(crypto, next, first, [second.id]))
    expect(without.pendingDevice).toEqual(both.pendingDevice)
    expect(without.pendingRecovery).toBeNull()
  })

  it('goes on waiting when the other request ends', () => {
    const vetoed = after(both, (next) => vetoRequest(crypto, next, third, asked.head))
    expect(vetoed.pendingDevice).toBeNull()
    expect(vetoed.pendingRecovery).toEqual(both.pendingRecovery)
    const dropped = after(both, (next) => vetoRequest(crypto, next, third, both.head))
    expect(dropped.pendingDevice).toEqual(both.pendingDevice)
    expect(dropped.pendingRecovery).toBeNull()
    const active = after(both, (next) => activateRequest(crypto, next, third, asked.head))
    expect(active.pendingRecovery).toEqual(both.pendingRecovery)
  })

  it('is asked for by its hash: anything else is no request', () => {
    for (const request of [three.head, both.fingerprint]) {
      expect(verdict(both, vetoRequest(crypto, both, third, request))).toBe('unknown_request')
      expect(verdict(both, activateRequest(crypto, both, third, request))).toBe('unknown_request')
      expect(verdict(three, vetoRequest(crypto, three, third, request))).toBe('unknown_request')
    }
  })

  it('ends with a recovery key that takes effect', () => {
    const state = after(both, (next) => activateRequest(crypto, next, third, both.head))
    expect([state.pendingDevice, state.pendingRecovery]).toEqual([null, null])
    expect(state.devices.get(fresh.id)).toMatchObject({ status: 'removed', removedAt: 5 })
    expect(ids(state)).toEqual([first.id, second.id, third.id])
  })
})

describe('contesting', () => {
  const removed = after(three, (state) => removeDevices(crypto, state, second, [first.id]))
  const contest = (
    state: ManifestState,
    devices: readonly string[],
    { by = first, removal = removed.head } = {},
  ): string => verdict(state, contestRemoval(crypto, state, by, oldWords, removal, devices))

  it('names devices that are there, once each', () => {
    expect(contest(removed, [second.id])).toBe('accepted')
    expect(contest(removed, [second.id, third.id])).toBe('accepted')
    expect(contest(removed, [second.id, second.id])).toBe('duplicate_device')
    expect(contest(removed, [second.id, fresh.id])).toBe('unknown_device')
    expect(contest(removed, [first.id])).toBe('device_not_active')
    const gone = after(removed, (state) => removeDevices(crypto, state, second, [third.id]))
    expect(contest(gone, [second.id, third.id])).toBe('device_not_active')
    // The first that fails decides; that one is named twice comes before.
    expect(contest(gone, [fresh.id, third.id])).toBe('unknown_device')
    expect(contest(gone, [third.id, fresh.id])).toBe('device_not_active')
    expect(contest(gone, [fresh.id, fresh.id])).toBe('duplicate_device')
  })

  it('may name a device that only waits, which then waits no more', () => {
    const asked = after(removed, (state) => recoverDevice(crypto, state, fresh, oldWords))
    const state = after(asked, (next) =>
      contestRemoval(crypto, next, first, oldWords, removed.head, [fresh.id]),
    )
    expect(state.pendingDevice).toBeNull()
    expect(state.devices.get(fresh.id)?.status).toBe('removed')
    expect(ids(state)).toEqual([first.id, second.id, third.id])
  })

  it('is of a removal, a contest or a healing, and of nothing else', () => {
    const back = after(removed, (state) =>
      contestRemoval(crypto, state, first, oldWords, removed.head, [second.id]),
    )
    expect(contest(back, [first.id], { by: second, removal: back.head })).toBe('accepted')
    const other = after(two, (state) => removeDevices(crypto, state, second, [first.id]))
    const healed = after(three, (state) => healFork(crypto, state, second, other.head, [third.id]))
    expect(contest(healed, [second.id], { by: third, removal: healed.head })).toBe('accepted')
    // Fallen with the recovery key that had asked for it, it was never active.
    const asked = after(three, (state) => recoverDevice(crypto, state, fresh, oldWords))
    const replaced = after(asked, (state) =>
      replaceRecovery(crypto, state, first, newWords, oldWords),
    )
    const fallen = contestRemoval(crypto, replaced, fresh, newWords, replaced.head, [first.id])
    expect(verdict(replaced, fallen)).toBe('not_allowed')
  })

  it('is of the author’s own removal, by an author that was removed', () => {
    const later = after(removed, (state) => removeDevices(crypto, state, second, [third.id]))
    expect(contest(later, [second.id], { removal: later.head })).toBe('unknown_request')
    expect(contest(later, [second.id], { by: third })).toBe('unknown_request')
    expect(contest(later, [second.id], { by: third, removal: later.head })).toBe('accepted')
    expect(contest(removed, [third.id], { by: second })).toBe('device_not_removed')
    const asked = after(removed, (state) => recoverDevice(crypto, state, fresh, oldWords))
    expect(contest(asked, [second.id], { by: fresh })).toBe('device_not_removed')
    expect(contest(removed, [second.id], { by: thief })).toBe('unknown_device')
  })
})

describe('an entry', () => {
  it('has 2,048 bytes at most', () => {
    const padded = (length: number): SignedEntry =>
      craft(
        two,
        { kind: 'remove_device', by: first.id, devices: [second.id], x: 'x'.repeat(length) },
        { by: first.ed25519 },
      )
    const room = MAX_ENTRY_BYTES - canonicalBytes(padded(0).entry).length
    expect(MAX_ENTRY_BYTES).toBe(2048)
    expect(verdict(two, padded(room))).toBe('accepted')
    expect(verdict(two, padded(room + 1))).toBe('too_large')
  })

  it('is signed under the key and in the role it says; what is malformed is no signature', () => {
    const entry = genesis().entry
    const bytes = canonicalBytes(entry)
    const key = deviceKeysOf(crypto, first).ed25519
    const signature = signEntry(crypto, 'by', first.ed25519, entry)
    const holds = (...[role, by, sig]: readonly ['by' | 'device', string, string]) =>
      verifyEntrySignature(crypto, role, by, bytes, sig)
    expect(holds('by', key, signature)).toBe(true)
    expect(holds('device', key, signature)).toBe(false)
    for (const bad of ['', 'x', `${key}A`, key.slice(1), `${key.slice(1)}=`]) {
      expect(holds('by', bad, signature)).toBe(false)
      expect(holds('by', key, bad)).toBe(false)
    }
    const cut = toBase64Url(fromBase64Url(signature).subarray(1))
    expect(holds('by', key, cut)).toBe(false)
  })
})

describe('in a fork', () => {
  /** The same device id in both branches, with keys that agree as far as told. */
  const twin = (changes: Partial<DeviceSecrets>): DeviceSecrets => ({ ...third, ...changes })
  const branch = (added: DeviceSecrets): ManifestState =>
    after(two, (state) => add(state, second, added))

  it('a device is shared with all its keys or not at all', () => {
    const left = three
    expect(devicesActiveInBoth(left, branch(third))).toContain(third.id)
    for (const changes of [{ ed25519: secretOf('other') }, { x25519: secretOf('other') }]) {
      const right = branch(twin(changes))
      expect(compareManifests(left, right)).toBe('fork')
      expect(devicesActiveInBoth(left, right)).toEqual([first.id, second.id])
    }
  })

  it('a healing counts only under the key that its author has in both branches', () => {
    const right = branch(twin({ ed25519: secretOf('other') }))
    const byTwin = after(three, (state) => healFork(crypto, state, third, right.head, []))
    expect(isForkHealed(byTwin, right)).toBe(false)
    const bySecond = after(three, (state) => healFork(crypto, state, second, right.head, []))
    expect(isForkHealed(bySecond, right)).toBe(true)
  })

  it('a healing heals nothing where there is no fork', () => {
    const right = branch(twin({ x25519: secretOf('other') }))
    const healed = after(three, (state) => healFork(crypto, state, second, right.head, []))
    // Its own head is one of the two that it names.
    expect(isForkHealed(healed, three)).toBe(false)
    expect(isForkHealed(healed, right)).toBe(true)
  })
})

describe('trust that is not lent', () => {
  const now = 1_000_000_000_000
  const seen = (hash: string, state: ManifestState, times: Readonly<Record<number, number>>) =>
    times[state.steps.findIndex((step) => step.hash === hash)] ?? 0
  const trustOf = (state: ManifestState, times: Readonly<Record<number, number>>, at = now) =>
    manifestTrust(state, (hash) => seen(hash, state, times), at)
  /** In by the words alone: it waits. */
  const asked = after(two, (state) => recoverDevice(crypto, state, fresh, oldWords))
  const inside = after(asked, (state) => activateRequest(crypto, state, oldWords, asked.head))

  it('a recovery key that a waiting device sets waits with it, and what it lets in longer', () => {
    const replaced = after(inside, (state) =>
      replaceRecovery(crypto, state, fresh, newWords, oldWords),
    )
    const request = after(replaced, (state) => recoverDevice(crypto, state, thief, newWords))
    expect(trustOf(request, { 2: now, 3: now, 4: now, 5: now }).pendingDevice).toMatchObject({
      device: thief.id,
      activeFrom: now + RECOVERY_WAIT + RECOVERY_WAIT,
    })
    // By a device that is trusted, it counts at once.
    const trusted = after(
      two,
      (state) => replaceRecovery(crypto, state, first, newWords, oldWords),
      (state) => recoverDevice(crypto, state, thief, newWords),
    )
    expect(trustOf(trusted, { 2: now, 3: now }).pendingDevice?.activeFrom).toBe(now + RECOVERY_WAIT)
  })

  it('a recovery key in force is not held up by a waiting device that asks for another', () => {
    const state = after(inside, (next) => replaceRecovery(crypto, next, fresh, newWords, null))
    const request = after(state, (next) => recoverDevice(crypto, next, thief, oldWords))
    const trust = trustOf(request, { 2: now, 3: now, 4: now, 5: now })
    expect(trust.pendingDevice?.activeFrom).toBe(now + RECOVERY_WAIT)
    // What it asks for itself waits for it first.
    expect(trust.pendingRecovery?.activeFrom).toBe(now + RECOVERY_WAIT + REPLACEMENT_WAIT)
  })

  it('a contest is believed no sooner than the recovery key that it shows', () => {
    const asking = after(three, (state) => replaceRecovery(crypto, state, third, newWords, null))
    const rushed = after(
      asking,
      (state) => activateRequest(crypto, state, third, asking.head),
      (state) => removeDevices(crypto, state, second, [first.id]),
    )
    const contested = after(rushed, (state) =>
      contestRemoval(crypto, state, first, newWords, rushed.head, [second.id]),
    )
    const trust = trustOf(contested, { 3: now, 4: now, 5: now, 6: now })
    expect(trust.waiting.get(first.id)).toBe(now + REPLACEMENT_WAIT)
    // Seen long before, both are beyond doubt.
    expect(trustOf(contested, {}).trusted).toContain(first.id)
  })

  it('a recovery key that is activated counts no sooner than its request’s wait and its author', () => {
    const asking = after(inside, (state) => replaceRecovery(crypto, state, first, newWords, null))
    const used = after(
      asking,
      (state) => activateRequest(crypto, state, fresh, asking.head),
      (state) => recoverDevice(crypto, state, thief, newWords),
    )
    // The request has waited; who activates it has not.
    const late = now + REPLACEMENT_WAIT
    const times = { 2: late, 3: late, 4: now, 5: late, 6: late }
    expect(trustOf(used, times, late).pendingDevice?.activeFrom).toBe(
      late + RECOVERY_WAIT + RECOVERY_WAIT,
    )
  })

  it('no pause follows the veto of a recovery key: it was no request of a device', () => {
    const asking = after(two, (state) => replaceRecovery(crypto, state, first, newWords, null))
    const vetoed = after(asking, (state) => vetoRequest(crypto, state, second, asking.head))
    expect(trustOf(vetoed, { 2: now, 3: now }).nextRequestFrom).toBe(0)
  })
})
