import { describe, expect, it } from 'vitest'
import {
  activateRequest,
  activeDevices,
  contestRemoval,
  CONTEST_WINDOW,
  manifestTrust,
  RECOVERY_WAIT,
  recoverDevice,
  removeDevices,
  REPLACEMENT_WAIT,
  replaceRecovery,
  sequencingRefusal,
  verifyGenesis,
  VETO_PAUSE,
  vetoRequest,
} from './index.ts'
import type { ManifestState } from './index.ts'
import { add, after, begin, crypto, device, genesis, verdict, words } from './testing/account.ts'

const first = device('first')
const second = device('second')
const fresh = device('fresh')
const thief = device('thief')
const oldWords = words('old')
const newWords = words('new')
const ids = (state: ManifestState): readonly string[] => activeDevices(state).map(({ id }) => id)
const two = (): ManifestState => after(begin(), (state) => add(state, first, second))
const asked = (state = two()): ManifestState =>
  after(state, (next) => recoverDevice(crypto, next, fresh, oldWords))

/** Each entry seen at the time given for its height; what is missing was there at pinning. */
const seenAt =
  (state: ManifestState, times: Readonly<Record<number, number>>) =>
  (hash: string): number | null =>
    times[state.steps.findIndex((step) => step.hash === hash)] ?? 0

describe('a recovery request', () => {
  it('makes the device pending and gives it nothing', () => {
    const state = asked()
    expect(state.devices.get(fresh.id)?.status).toBe('pending')
    expect(ids(state)).toEqual([first.id, second.id])
    expect(state.pendingDevice).toMatchObject({ request: state.head, device: fresh.id })
    expect(verdict(state, add(state, fresh, thief))).toBe('device_not_active')
    expect(verdict(state, removeDevices(crypto, state, fresh, [first.id]))).toBe(
      'device_not_active',
    )
    expect(verdict(state, activateRequest(crypto, state, fresh, state.head))).toBe(
      'device_not_active',
    )
    expect(verdict(state, vetoRequest(crypto, state, fresh, state.head))).toBe('device_not_active')
  })

  it('needs the current recovery key and the new device', () => {
    const state = two()
    const wrong = recoverDevice(crypto, state, fresh, newWords)
    expect(verdict(state, wrong)).toBe('bad_signature')
    const { entry, signatures } = recoverDevice(crypto, state, fresh, oldWords)
    const { recovery = '' } = signatures
    expect(verdict(state, { entry, signatures: { recovery } })).toBe('missing_signature')
    expect(verdict(state, { entry, signatures: { recovery, device: recovery } })).toBe(
      'bad_signature',
    )
  })

  it('is alone', () => {
    const state = asked()
    expect(verdict(state, recoverDevice(crypto, state, thief, oldWords))).toBe('request_pending')
  })

  it('is activated by the recovery key again, or approved by a device from before it', () => {
    const state = asked()
    for (const by of [oldWords, first, second]) {
      const done = after(state, (next) => activateRequest(crypto, next, by, state.head))
      expect(ids(done)).toContain(fresh.id)
      expect(done.pendingDevice).toBeNull()
    }
    expect(verdict(state, activateRequest(crypto, state, newWords, state.head))).toBe(
      'bad_signature',
    )
  })

  it('is not approved by a device that came after it', () => {
    const request = asked()
    const later = after(request, (next) => add(next, first, thief))
    expect(verdict(later, activateRequest(crypto, later, thief, request.head))).toBe('not_allowed')
  })

  it('dies by a veto, and its device can never come again', () => {
    const request = asked()
    const vetoed = after(request, (next) => vetoRequest(crypto, next, second, request.head))
    expect(vetoed.devices.get(fresh.id)?.status).toBe('removed')
    expect(verdict(vetoed, activateRequest(crypto, vetoed, oldWords, request.head))).toBe(
      'unknown_request',
    )
    expect(verdict(vetoed, activateRequest(crypto, vetoed, first, request.head))).toBe(
      'unknown_request',
    )
    expect(verdict(vetoed, recoverDevice(crypto, vetoed, fresh, oldWords))).toBe('reused_device_id')
    expect(verdict(vetoed, recoverDevice(crypto, vetoed, thief, oldWords))).toBe('accepted')
  })

  it('cannot be contested after a veto, since the device was never active', () => {
    const request = asked()
    const vetoed = after(request, (next) => vetoRequest(crypto, next, second, request.head))
    const contest = contestRemoval(crypto, vetoed, fresh, oldWords, vetoed.head, [second.id])
    expect(verdict(vetoed, contest)).toBe('not_allowed')
  })

  it('dies when the recovery key is replaced', () => {
    const request = asked()
    const replaced = after(request, (next) =>
      replaceRecovery(crypto, next, first, newWords, oldWords),
    )
    expect(replaced.pendingDevice).toBeNull()
    expect(replaced.devices.get(fresh.id)?.status).toBe('removed')
    expect(verdict(replaced, activateRequest(crypto, replaced, oldWords, request.head))).toBe(
      'unknown_request',
    )
  })
})

describe('trust in a recovered device', () => {
  const request = asked()
  const recovered = after(request, (next) => activateRequest(crypto, next, oldWords, request.head))
  const now = 1_000_000_000_000

  it('waits 48 hours from this party’s own first sight', () => {
    const sight = seenAt(recovered, { 2: now, 3: now })
    const early = manifestTrust(recovered, sight, now + RECOVERY_WAIT - 1)
    expect([...early.trusted]).toEqual([first.id, second.id])
    expect(early.waiting.get(fresh.id)).toBe(now + RECOVERY_WAIT)
    const late = manifestTrust(recovered, sight, now + RECOVERY_WAIT)
    expect([...late.trusted]).toContain(fresh.id)
    expect(late.waiting.size).toBe(0)
  })

  it('starts to wait now where the entries were never seen', () => {
    const trust = manifestTrust(recovered, () => null, now)
    expect(trust.waiting.get(fresh.id)).toBe(now + RECOVERY_WAIT)
  })

  it('does not wait where the account was pinned with the device in it', () => {
    expect(manifestTrust(recovered, () => 0, now).trusted.has(fresh.id)).toBe(true)
  })

  it('says how long a request has to wait', () => {
    const trust = manifestTrust(request, seenAt(request, { 2: now }), now)
    expect(trust.pendingDevice).toEqual({
      request: request.head,
      device: fresh.id,
      activeFrom: now + RECOVERY_WAIT,
    })
  })

  it('is instant after approval by a device from before the request', () => {
    const approved = after(request, (next) => activateRequest(crypto, next, first, request.head))
    const sight = seenAt(approved, { 2: now, 3: now })
    expect(manifestTrust(approved, sight, now).trusted.has(fresh.id)).toBe(true)
  })

  it('is not lent: what a waiting device adds waits with it', () => {
    const more = after(recovered, (next) => add(next, fresh, thief))
    const sight = seenAt(more, { 2: now, 3: now, 4: now })
    const early = manifestTrust(more, sight, now + 1)
    expect(early.waiting.get(thief.id)).toBe(now + RECOVERY_WAIT)
    expect(manifestTrust(more, sight, now + RECOVERY_WAIT).trusted.has(thief.id)).toBe(true)
  })

  it('does not come earlier when a waiting device removes the others', () => {
    const alone = after(recovered, (next) =>
      removeDevices(crypto, next, fresh, [first.id, second.id]),
    )
    const sight = seenAt(alone, { 2: now, 3: now, 4: now })
    expect(manifestTrust(alone, sight, now + 1).trusted.size).toBe(0)
  })

  it('waits out seven days after a veto, however many vetoes there were', () => {
    let state = request
    state = after(state, (next) => vetoRequest(crypto, next, second, request.head))
    const again = after(state, (next) => recoverDevice(crypto, next, thief, oldWords))
    const vetoSeen = now + 1000
    const sight = seenAt(again, { 2: now, 3: vetoSeen, 4: vetoSeen + 1 })
    const trust = manifestTrust(again, sight, vetoSeen + 2)
    expect(trust.nextRequestFrom).toBe(vetoSeen + VETO_PAUSE)
    expect(trust.pendingDevice?.activeFrom).toBe(vetoSeen + VETO_PAUSE + RECOVERY_WAIT)
    const vetoedAgain = after(again, (next) => vetoRequest(crypto, next, second, again.head))
    const secondVeto = vetoSeen + 2000
    const later = manifestTrust(
      vetoedAgain,
      seenAt(vetoedAgain, { 2: now, 3: vetoSeen, 4: vetoSeen, 5: secondVeto }),
      secondVeto,
    )
    expect(later.nextRequestFrom).toBe(secondVeto + VETO_PAUSE)
  })

  it('is not delayed by a withdrawal with the recovery key itself', () => {
    const withdrawn = after(request, (next) => vetoRequest(crypto, next, oldWords, request.head))
    expect(manifestTrust(withdrawn, () => now, now).nextRequestFrom).toBe(0)
  })

  it('follows a recovery key that a device replaced alone only after seven days', () => {
    const replacing = after(two(), (next) => replaceRecovery(crypto, next, first, newWords, null))
    const sight = seenAt(replacing, { 2: now })
    expect(manifestTrust(replacing, sight, now).pendingRecovery).toEqual({
      request: replacing.head,
      activeFrom: now + REPLACEMENT_WAIT,
    })
    // Activated at once by a node that looks away, and used at once.
    const rushed = after(
      replacing,
      (next) => activateRequest(crypto, next, first, replacing.head),
      (next) => recoverDevice(crypto, next, thief, newWords),
    )
    const used = after(rushed, (next) => activateRequest(crypto, next, newWords, rushed.head))
    const trust = manifestTrust(used, seenAt(used, { 2: now, 3: now, 4: now, 5: now }), now)
    expect(trust.waiting.get(thief.id)).toBe(now + REPLACEMENT_WAIT + RECOVERY_WAIT)
  })
})

describe('contesting a removal', () => {
  const now = 1_000_000_000_000
  /** The thief's device got in, removed the first one, and the first one fights back. */
  const intruded = after(
    begin(),
    (state) => add(state, first, thief),
    (state) => removeDevices(crypto, state, thief, [first.id]),
  )
  const contest = (state: ManifestState): ReturnType<typeof contestRemoval> =>
    contestRemoval(crypto, state, first, oldWords, intruded.head, [thief.id])

  it('reinstates the device and removes those it names', () => {
    const state = after(intruded, contest)
    expect(ids(state)).toEqual([first.id])
    expect(state.devices.get(thief.id)?.status).toBe('removed')
  })

  it('counts for seven days from the sight of the removal', () => {
    const state = after(intruded, contest)
    const inTime = seenAt(state, { 2: now, 3: now + CONTEST_WINDOW - 1 })
    expect(manifestTrust(state, inTime, now + CONTEST_WINDOW).trusted.has(first.id)).toBe(true)
    const late = seenAt(state, { 2: now, 3: now + CONTEST_WINDOW })
    const trust = manifestTrust(state, late, now + CONTEST_WINDOW)
    expect(trust.trusted.size).toBe(0)
    expect(trust.waiting.get(first.id)).toBe(Infinity)
  })

  it('needs both proofs, a removal that was one, and devices that are there', () => {
    const { entry, signatures } = contest(intruded)
    const { by = '', recovery = '' } = signatures
    expect(verdict(intruded, { entry, signatures: { by } })).toBe('missing_signature')
    expect(verdict(intruded, { entry, signatures: { recovery } })).toBe('missing_signature')
    const wrongWords = contestRemoval(crypto, intruded, first, newWords, intruded.head, [thief.id])
    expect(verdict(intruded, wrongWords)).toBe('bad_signature')
    const otherRemoval = contestRemoval(crypto, intruded, first, oldWords, intruded.fingerprint, [
      thief.id,
    ])
    expect(verdict(intruded, otherRemoval)).toBe('unknown_request')
    const stranger = contestRemoval(crypto, intruded, first, oldWords, intruded.head, [fresh.id])
    expect(verdict(intruded, stranger)).toBe('unknown_device')
    const active = contestRemoval(crypto, intruded, thief, oldWords, intruded.head, [first.id])
    expect(verdict(intruded, active)).toBe('device_not_removed')
  })
})

describe('the home node', () => {
  const DAY = 86_400_000
  const now = 100 * DAY
  const refusal = (before: ManifestState, next: ManifestState, seen: number, at: number) =>
    sequencingRefusal(before, next, (hash) => (hash === before.head ? seen : 0), at)

  it('has waits and windows of the length that the draft gives them', () => {
    expect([RECOVERY_WAIT, VETO_PAUSE, REPLACEMENT_WAIT, CONTEST_WINDOW]).toEqual([
      2 * DAY,
      7 * DAY,
      7 * DAY,
      7 * DAY,
    ])
  })

  it('lets the recovery key activate a device after its wait and not before', () => {
    const before = asked()
    const next = after(before, (state) => activateRequest(crypto, state, oldWords, before.head))
    expect(refusal(before, next, now, now + RECOVERY_WAIT - 1)).toBe('too_early')
    expect(refusal(before, next, now, now + RECOVERY_WAIT)).toBe(null)
    expect(sequencingRefusal(before, next, () => null, now)).toBe('too_early')
  })

  it('lets a device that lets a device in end the wait', () => {
    const before = asked()
    const next = after(before, (state) => activateRequest(crypto, state, first, before.head))
    expect(refusal(before, next, now, now)).toBe(null)
  })

  it('lets a new recovery key wait, whoever speaks for it', () => {
    const before = after(two(), (state) => replaceRecovery(crypto, state, first, newWords, null))
    const next = after(before, (state) => activateRequest(crypto, state, second, before.head))
    expect(refusal(before, next, now, now + REPLACEMENT_WAIT - 1)).toBe('too_early')
    expect(refusal(before, next, now, now + REPLACEMENT_WAIT)).toBe(null)
  })

  it('takes the next request after the pause that a veto makes', () => {
    const request = asked()
    const before = after(request, (state) => vetoRequest(crypto, state, first, request.head))
    const next = after(before, (state) => recoverDevice(crypto, state, thief, oldWords))
    expect(refusal(before, next, now, now + VETO_PAUSE - 1)).toBe('too_early')
    expect(refusal(before, next, now, now + VETO_PAUSE)).toBe(null)
    const start = two()
    expect(refusal(start, asked(start), now, now)).toBe(null)
  })

  it('takes a contest within its window, counted from the removal', () => {
    const before = after(two(), (state) => removeDevices(crypto, state, second, [first.id]))
    const next = after(before, (state) =>
      contestRemoval(crypto, state, first, oldWords, before.head, [second.id]),
    )
    expect(refusal(before, next, now, now + CONTEST_WINDOW - 1)).toBe(null)
    expect(refusal(before, next, now, now + CONTEST_WINDOW)).toBe('too_late')
    expect(sequencingRefusal(before, next, () => null, now)).toBe(null)
  })

  it('holds back nothing else', () => {
    const before = two()
    const next = after(before, (state) => removeDevices(crypto, state, first, [second.id]))
    expect(refusal(before, next, now, now)).toBe(null)
    expect(verifyGenesis(crypto, genesis())).toEqual({ ok: true, state: begin() })
    const { entry, signatures } = genesis()
    const { by = '' } = signatures
    expect(verifyGenesis(crypto, { entry, signatures: { by } })).toMatchObject({
      code: 'missing_signature',
    })
  })
})
