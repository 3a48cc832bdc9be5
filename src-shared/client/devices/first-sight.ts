/** What is kept of an account whose manifest is met for the first time (Identity §2): everything in it counts as seen. */
import { activeDevices } from '../../protocol/index.ts'
import type { ManifestState, SignedEntry } from '../../protocol/index.ts'
import type { Step } from '../store/database.ts'
import { manifestRecord, personKey, personRecord, pinKey, pinRecord } from './contact-records.ts'
import type { ManifestRecord } from './contact-records.ts'

/** `reset`: the user id stood for another account until now. */
export async function keepFirstSight(
  step: Step,
  state: ManifestState,
  entries: readonly SignedEntry[],
): Promise<{ readonly record: ManifestRecord; readonly reset: boolean }> {
  const { fingerprint: member, userId, bot } = state
  const record: ManifestRecord = { v: 1, userId, entries: [...entries], seen: {}, other: null }
  step.put(manifestRecord, member, record)
  const pin = await step.get(pinRecord, pinKey(userId))
  const reset = pin !== null && pin.member !== member
  step.put(pinRecord, pinKey(userId), {
    v: 1,
    member,
    former: reset ? [...pin.former.filter((old) => old !== member), pin.member] : [],
  })
  const before = await step.get(personRecord, personKey(member))
  step.put(personRecord, personKey(member), {
    v: 1,
    userId,
    name: before?.name ?? '',
    bot,
    changed: reset ? 'identity_reset' : null,
    seenDevices: activeDevices(state).map(({ id }) => id),
  })
  return { record, reset }
}
