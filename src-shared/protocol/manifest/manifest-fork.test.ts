import { describe, expect, it } from 'vitest'
import {
  compareManifests,
  devicesActiveInBoth,
  healFork,
  isForkHealed,
  removeDevices,
} from './index.ts'
import type { ManifestState } from './index.ts'
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
import { createGenesis, verifyManifest } from './index.ts'

const first = device('first')
const second = device('second')
const third = device('third')
const fourth = device('fourth')
const trunk = after(begin(), (state) => add(state, first, second))
const left = after(trunk, (state) => add(state, first, third))
const right = after(
  trunk,
  (state) => removeDevices(crypto, state, second, [first.id]),
  (state) => add(state, second, fourth),
)

describe('two chains of one account', () => {
  it('are the same, ahead, behind or a fork', () => {
    expect(compareManifests(left, left)).toBe('same')
    expect(compareManifests(left, trunk)).toBe('ahead')
    expect(compareManifests(trunk, left)).toBe('behind')
    expect(compareManifests(left, right)).toBe('fork')
    expect(compareManifests(right, left)).toBe('fork')
  })

  it('are told from another account', () => {
    const other = verifyManifest(crypto, [
      createGenesis(crypto, {
        userId: '@alice:example.org',
        nonce: secretOf('another nonce'),
        device: first,
        recovery: words('old'),
        bot: false,
      }),
    ])
    expect(other.ok && compareManifests(other.state, trunk)).toBe('other_account')
    expect(verifyManifest(crypto, [genesis()])).toMatchObject({
      state: { fingerprint: trunk.fingerprint },
    })
  })

  it('share in a fork only the devices active in both', () => {
    expect(devicesActiveInBoth(left, right)).toEqual([second.id])
    expect(devicesActiveInBoth(right, left)).toEqual([second.id])
  })
})

describe('healing a fork', () => {
  const healed = after(left, (state) =>
    healFork(crypto, state, second, right.head, [first.id, third.id]),
  )

  it('names both heads and removes what it says', () => {
    expect(isForkHealed(healed, right)).toBe(true)
    expect(devicesActiveInBoth(healed, right)).toEqual([second.id])
    expect(healed.devices.get(first.id)?.status).toBe('removed')
  })

  it('is none before the entry, for another branch, or for one that went on', () => {
    expect(isForkHealed(left, right)).toBe(false)
    expect(isForkHealed(healed, trunk)).toBe(false)
    const further = after(right, (state) => removeDevices(crypto, state, second, [fourth.id]))
    expect(isForkHealed(healed, further)).toBe(false)
    const another = after(trunk, (state) => add(state, second, fourth))
    expect(isForkHealed(healed, another)).toBe(false)
  })

  it('is none by a device that is not active in both branches', () => {
    const byFirst = after(left, (state) => healFork(crypto, state, first, right.head, []))
    expect(isForkHealed(byFirst, right)).toBe(false)
    const byThird = after(left, (state) => healFork(crypto, state, third, right.head, []))
    expect(isForkHealed(byThird, right)).toBe(false)
  })

  it('is refused unless it names its own head and another', () => {
    const heal = (state: ManifestState, heads: readonly string[]): string =>
      verdict(
        state,
        craft(state, { kind: 'heal', by: second.id, heads, devices: [] }, { by: second.ed25519 }),
      )
    expect(heal(left, [left.head, right.head])).toBe('accepted')
    expect(heal(left, [right.head, left.head])).toBe('accepted')
    expect(heal(left, [left.head, left.head])).toBe('wrong_heads')
    expect(heal(left, [trunk.head, right.head])).toBe('wrong_heads')
    expect(heal(left, [left.head])).toBe('malformed')
    expect(verdict(left, healFork(crypto, left, second, right.head, [second.id]))).toBe(
      'not_allowed',
    )
  })
})
