/**
 * The manifests of everyone this account deals with (Identity §2), its own included: fetched, verified
 * as whole chains, pinned at first sight, never rolled back, forks kept.
 *
 * The node is only asked for entries; what they say is decided here. Who is a recipient of what is the
 * business of `rooms/`.
 */
import {
  appendEntry,
  compareManifests,
  devicesActiveInBoth,
  activeDevices,
  fromBase64Url,
  isForkHealed,
  manifestEntryHash,
  manifestTrust,
  parseUserId,
  replayStoredManifest,
  verifyManifest,
} from '../../protocol/index.ts'
import type {
  LocalDevice,
  ManifestDevice,
  ManifestState,
  PeerDevice,
  SignedEntry,
} from '../../protocol/index.ts'
import { localDevice } from '../account/account-record.ts'
import type { Context } from '../context.ts'
import { EngineError } from '../errors.ts'
import { Unanswered } from '../http/api-client.ts'
import type { Refusal } from '../http/api-client.ts'
import type { Reader, Step } from '../store/database.ts'
import { raiseAlert } from '../views/alerts.ts'
import { manifestRecord, personKey, personRecord, pinKey, pinRecord } from './contact-records.ts'
import { keepFirstSight } from './first-sight.ts'
import { shownName } from './shown-name.ts'
import type { ContactChange, ManifestRecord, PersonRecord } from './contact-records.ts'

export type Refreshed =
  | { readonly ok: true; readonly member: string }
  /**
   * `bad_manifest`: what the node gave does not verify, or contradicts what was asked for;
   * `unreachable`: the home of the account does not answer the own node.
   */
  | { readonly ok: false; readonly code: 'unknown_user' | 'bad_manifest' | 'unreachable' }
  | { readonly ok: false; readonly code: 'refused'; readonly refusal: Refusal }

const MAX_ENTRIES_BEHIND = 1024

export class Contacts {
  readonly #ctx: Context
  readonly #states = new WeakMap<ManifestRecord, ManifestState>()
  readonly #fetching = new Map<string, Promise<Refreshed>>()

  constructor(ctx: Context) {
    this.#ctx = ctx
  }

  /** The last verified manifest; null for someone never seen. */
  async manifest(reader: Reader, member: string): Promise<ManifestState | null> {
    const record = await reader.get(manifestRecord, member)
    return record === null ? null : this.#replay(record)
  }

  async person(reader: Reader, member: string): Promise<PersonRecord | null> {
    return reader.get(personRecord, personKey(member))
  }

  /** The account that a user id stands for here. */
  async pinned(reader: Reader, userId: string): Promise<string | null> {
    return (await reader.get(pinRecord, pinKey(userId)))?.member ?? null
  }

  /** This device with the own manifest head. Throws `EngineError('internal')` without one. */
  async local(reader: Reader): Promise<LocalDevice> {
    const { me } = this.#ctx
    const own = await this.manifest(reader, me.member)
    if (own === null) throw new EngineError('internal')
    return localDevice(me, own.head)
  }

  /** A device as its verified manifest states it, active or not; null where it never was. */
  async device(reader: Reader, member: string, device: string): Promise<PeerDevice | null> {
    const manifest = await this.manifest(reader, member)
    const listed = manifest?.devices.get(device)
    return manifest === null || listed === undefined ? null : peerDevice(manifest, listed)
  }

  /**
   * Devices of `member` that may be wrapped to: active in the verified manifest, on both branches of a
   * fork, and not waiting for a recovery to come of age.
   */
  async trustedDevices(reader: Reader, member: string): Promise<readonly PeerDevice[]> {
    const record = await reader.get(manifestRecord, member)
    if (record === null) return []
    const state = this.#replay(record)
    const { trusted } = manifestTrust(state, (hash) => record.seen[hash] ?? 0, this.#now())
    const branch = this.#openFork(record, state)
    const both = branch === null ? null : new Set(devicesActiveInBoth(state, branch))
    return activeDevices(state)
      .filter(({ id }) => trusted.has(id) && (both === null || both.has(id)))
      .map((device) => peerDevice(state, device))
  }

  /** Whether `head` is a link of the verified chain, at that height. */
  async knowsHead(reader: Reader, member: string, head: string, height: number): Promise<boolean> {
    const manifest = await this.manifest(reader, member)
    return manifest?.steps[height]?.hash === head
  }

  async ownHeadKnown(reader: Reader, head: string): Promise<boolean> {
    const own = await this.manifest(reader, this.#ctx.me.member)
    return own?.steps.some(({ hash }) => hash === head) ?? false
  }

  async warnOfOwnFork(step: Step): Promise<void> {
    const { me } = this.#ctx
    await this.#tell(step, me.member, me.userId, 'fork')
  }

  /**
   * Asks the node for what is new in a manifest and takes it in. `member` is who is expected to answer
   * to the user id; null where that is yet to be learnt. Throws `Unanswered`.
   */
  refresh(userId: string, member: string | null): Promise<Refreshed> {
    const key = `${userId} ${member ?? ''}`
    const running = this.#fetching.get(key)
    if (running !== undefined) return running
    const fetched = this.#refresh(userId, member)
      .catch((error: unknown): Refreshed => {
        // Known of somebody else's server, and no reason to stop anything but this.
        if (error instanceof Unanswered && error.code === 'peer_unreachable')
          return { ok: false, code: 'unreachable' }
        throw error
      })
      .finally(() => this.#fetching.delete(key))
    this.#fetching.set(key, fetched)
    return fetched
  }

  async #refresh(userId: string, expected: string | null): Promise<Refreshed> {
    const { db, api, life } = this.#ctx
    const pinned = expected ?? (await db.get(pinRecord, pinKey(userId)))?.member ?? null
    const known = pinned === null ? null : await db.get(manifestRecord, pinned)
    const head = known === null ? null : this.#replay(known)
    const ask = async (from: number) =>
      api.call('manifest', { params: { userId }, query: { from }, cancel: life })

    let from = head?.height ?? 0
    let answer = await ask(from)
    // Another account, a shorter log or another branch: only the whole chain tells which.
    if (answer.ok && from > 0 && !this.#continues(answer.value, head))
      answer = await ask((from = 0))
    if (!answer.ok) {
      const { refusal } = answer
      return refusal.errcode === 'M_NOT_FOUND'
        ? { ok: false, code: 'unknown_user' }
        : { ok: false, code: 'refused', refusal }
    }
    const { member, entries } = answer.value
    if (expected !== null && member !== expected) return { ok: false, code: 'bad_manifest' }
    if (entries.length > MAX_ENTRIES_BEHIND) return { ok: false, code: 'bad_manifest' }
    return db.step('manifest', (step) => this.#take(step, userId, member, from, entries))
  }

  #continues(
    answer: { readonly member: string; readonly entries: readonly SignedEntry[] },
    state: ManifestState | null,
  ): boolean {
    const [first] = answer.entries
    return (
      state !== null &&
      answer.member === state.fingerprint &&
      first !== undefined &&
      manifestEntryHash(this.#ctx.crypto, first.entry) === state.head
    )
  }

  /** `entries` start at height `from`; above 0 the first of them is the known head. */
  async #take(
    step: Step,
    userId: string,
    member: string,
    from: number,
    entries: readonly SignedEntry[],
  ): Promise<Refreshed> {
    const { crypto } = this.#ctx
    const known = await step.get(manifestRecord, member)
    if (known === null || from === 0) {
      const verified = verifyManifest(crypto, entries)
      if (!verified.ok) return { ok: false, code: 'bad_manifest' }
      const { state } = verified
      if (state.fingerprint !== member || state.userId !== userId)
        return { ok: false, code: 'bad_manifest' }
      if (known === null) await this.#meet(step, state, entries)
      else await this.#compare(step, known, state, entries)
      return { ok: true, member }
    }
    let state = this.#replay(known)
    const fresh: SignedEntry[] = []
    for (const signed of entries.slice(1)) {
      // Another refresh may have taken some of them meanwhile.
      if (state.steps.some((taken) => taken.hash === manifestEntryHash(crypto, signed.entry)))
        continue
      const next = appendEntry(crypto, state, signed)
      if (!next.ok) return { ok: false, code: 'bad_manifest' }
      state = next.state
      fresh.push(signed)
    }
    if (fresh.length > 0) await this.#extend(step, known, state, [...known.entries, ...fresh])
    return { ok: true, member }
  }

  /** First sight: pinned, everything in it counts as seen. */
  async #meet(step: Step, state: ManifestState, entries: readonly SignedEntry[]): Promise<void> {
    const { fingerprint: member, userId } = state
    const { record, reset } = await keepFirstSight(step, state, entries)
    this.#states.set(record, state)
    if (reset) await this.#tell(step, member, userId, 'identity_reset')
    step.after(() => {
      this.#ctx.publish.member(member)
    })
  }

  /** A whole chain beside a known one: longer, older or another branch. */
  async #compare(
    step: Step,
    known: ManifestRecord,
    state: ManifestState,
    entries: readonly SignedEntry[],
  ): Promise<void> {
    const mine = this.#replay(known)
    switch (compareManifests(state, mine)) {
      case 'ahead':
        await this.#extend(step, known, state, entries)
        break
      case 'fork': {
        // The branch that our log has given up, shown once more: ours stays, as with an older log.
        if (isForkHealed(mine, state)) break
        const healed = isForkHealed(state, mine)
        // The healed branch replaces ours; an open fork keeps ours and remembers the other one.
        const next = healed
          ? { ...known, entries: [...entries], other: null }
          : { ...known, other: [...entries] }
        this.#store(step, healed ? state : mine, next)
        if (!healed) await this.#changed(step, mine, 'fork')
        break
      }
      case 'same':
      case 'behind':
      case 'other_account':
        break
    }
  }

  async #extend(
    step: Step,
    known: ManifestRecord,
    state: ManifestState,
    entries: readonly SignedEntry[],
  ): Promise<void> {
    const before = this.#replay(known)
    const seen = { ...known.seen }
    for (const { hash } of state.steps.slice(known.entries.length)) seen[hash] = this.#now()
    this.#store(step, state, { ...known, entries: [...entries], seen })
    const old = new Set(activeDevices(before).map((device) => device.id))
    const now = new Set(activeDevices(state).map((device) => device.id))
    if ([...now].some((id) => !old.has(id))) await this.#changed(step, state, 'device_added')
    else if ([...old].some((id) => !now.has(id))) await this.#changed(step, state, 'device_removed')
    step.after(() => {
      this.#ctx.publish.member(state.fingerprint)
    })
  }

  async #changed(step: Step, state: ManifestState, change: ContactChange): Promise<void> {
    const { fingerprint: member, userId } = state
    if (member === this.#ctx.me.member) return
    const person = await this.person(step, member)
    if (person !== null) step.put(personRecord, personKey(member), { ...person, changed: change })
    await this.#tell(step, member, userId, change)
  }

  async #tell(step: Step, member: string, userId: string, change: ContactChange): Promise<void> {
    const person = await this.person(step, member)
    await raiseAlert(step, {
      id: `contact:${member}`,
      tier: 3,
      room: null,
      time: this.#now(),
      alert: { what: 'contact_changed', userId, name: displayName(person, userId), change },
    })
    step.after(() => {
      this.#ctx.publish.alerts()
    })
  }

  /** The user has looked at somebody's devices. */
  async markSeen(step: Step, member: string): Promise<void> {
    const person = await this.person(step, member)
    const manifest = await this.manifest(step, member)
    if (person === null || manifest === null) return
    const seenDevices = activeDevices(manifest).map((device) => device.id)
    step.put(personRecord, personKey(member), { ...person, changed: null, seenDevices })
  }

  async setName(step: Step, member: string, userId: string, name: string): Promise<void> {
    const person = await this.person(step, member)
    if (person?.name === name) return
    const fresh: PersonRecord = {
      v: 1,
      userId,
      name: '',
      bot: false,
      changed: null,
      seenDevices: [],
    }
    step.put(personRecord, personKey(member), { ...(person ?? fresh), name })
    step.after(() => {
      this.#ctx.publish.member(member)
    })
  }

  /** Entries of the own log that the node does not have (it went back): to be handed in again. */
  async missingAtNode(reader: Reader, member: string, height: number): Promise<SignedEntry[]> {
    const record = await reader.get(manifestRecord, member)
    return record?.entries.slice(height + 1) ?? []
  }

  #openFork(record: ManifestRecord, state: ManifestState): ManifestState | null {
    if (record.other === null) return null
    const other = replayStoredManifest(this.#ctx.crypto, record.other)
    return other.ok && !isForkHealed(state, other.state) ? other.state : null
  }

  #store(step: Step, state: ManifestState, record: ManifestRecord): void {
    this.#states.set(record, state)
    step.put(manifestRecord, state.fingerprint, record)
  }

  #replay(record: ManifestRecord): ManifestState {
    const known = this.#states.get(record)
    if (known !== undefined) return known
    const replayed = replayStoredManifest(this.#ctx.crypto, record.entries)
    if (!replayed.ok) throw new EngineError('vault_damaged')
    this.#states.set(record, replayed.state)
    return replayed.state
  }

  #now(): number {
    return this.#ctx.clock.now()
  }
}

function peerDevice(manifest: ManifestState, device: ManifestDevice): PeerDevice {
  return {
    member: manifest.fingerprint,
    device: device.id,
    head: manifest.head,
    ed25519: fromBase64Url(device.ed25519),
    x25519: fromBase64Url(device.x25519),
    minSuite: device.min_suite,
  }
}

export function displayName(person: { readonly name: string } | null, userId: string): string {
  const name = shownName(person?.name ?? '')
  if (name !== '') return name
  return parseUserId(userId)?.name ?? userId
}
