/**
 * Two verified chains of one account held against each other (Identity §2): who is ahead, whether the
 * log was forked, and who may be wrapped to until a `heal` entry ends the fork.
 */
import { activeDevice, activeDevices } from './manifest-state.ts'
import type { ManifestState } from './manifest-state.ts'

export type ManifestRelation = 'same' | 'ahead' | 'behind' | 'fork' | 'other_account'

/** How `a` stands to `b`; `ahead`: `a` extends `b`. */
export function compareManifests(a: ManifestState, b: ManifestState): ManifestRelation {
  if (a.fingerprint !== b.fingerprint) return 'other_account'
  // Each entry names the one before, so equal hashes at one height are equal chains up to there.
  const shared = Math.min(a.height, b.height)
  if (a.steps[shared]?.hash !== b.steps[shared]?.hash) return 'fork'
  if (a.height === b.height) return 'same'
  return a.height > b.height ? 'ahead' : 'behind'
}

/** Ids of the devices that are active, with the same keys, in both chains. */
export function devicesActiveInBoth(a: ManifestState, b: ManifestState): readonly string[] {
  return activeDevices(a)
    .filter((mine) => {
      const theirs = activeDevice(b, mine.id)
      return theirs?.ed25519 === mine.ed25519 && theirs.x25519 === mine.x25519
    })
    .map((device) => device.id)
}

/**
 * Whether `state` holds a `heal` entry that gives up exactly the branch `other`, signed by a device
 * active in both. A branch that went on after the healing is a new fork.
 */
export function isForkHealed(state: ManifestState, other: ManifestState): boolean {
  if (compareManifests(state, other) !== 'fork') return false
  return state.steps.some((step) => {
    if (step.kind !== 'heal' || !step.heads.includes(other.head)) return false
    const author = activeDevice(other, step.by)
    return author !== null && state.devices.get(step.by)?.ed25519 === author.ed25519
  })
}
