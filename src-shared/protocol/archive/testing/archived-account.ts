/** An account with an archive for tests: its manifest log, its epochs, and the lanes of its devices. */
import { fromBase64Url, toBase64Url } from '../../encoding/index.ts'
import type { JsonObject } from '../../encoding/index.ts'
import type { ContentKeyRecord } from '../../envelope/index.ts'
import { appendEntry } from '../../manifest/index.ts'
import type { DeviceSecrets, ManifestState, SignedEntry } from '../../manifest/index.ts'
import { add, begin, crypto, device, genesis } from '../../manifest/testing/account.ts'
import type { LocalDevice, Random } from '../../prekeys/index.ts'
import { seededRandom } from '../../prekeys/testing/devices.ts'
import {
  archiveAnchors,
  emptyLane,
  extendLane,
  laneHead,
  readEpochDocument,
  sealSegment,
  startEpoch,
} from '../index.ts'
import type {
  AnchoredEpoch,
  EpochKey,
  Lane,
  LaneErrorCode,
  LaneHead,
  SignedSegment,
} from '../index.ts'

export const first = device('first')
export const second = device('second')
export const third = device('third')

export class ArchivedAccount {
  readonly random: Random = seededRandom('archive')
  state: ManifestState = begin()
  readonly entries: JsonObject[] = [genesis().entry]
  /** By epoch. */
  readonly keys: EpochKey[] = []
  readonly documents: Uint8Array[] = []
  readonly lanes = new Map<string, Lane>()
  readonly segments: SignedSegment[] = []
  #records = 0

  append(make: (state: ManifestState) => SignedEntry): void {
    const signed = make(this.state)
    const result = appendEntry(crypto, this.state, signed)
    if (!result.ok) throw new Error(result.code)
    this.state = result.state
    this.entries.push(signed.entry)
  }

  add(added: DeviceSecrets): void {
    this.append((state) => add(state, first, added))
  }

  startEpoch(author = first, lanes = this.heads()): void {
    const previous = this.keys.at(-1) ?? null
    const { random, state } = this
    const started = startEpoch({ crypto, random, state, author, previous, lanes })
    this.append(() => started.entry)
    this.keys.push(started.key)
    this.documents.push(started.bytes)
  }

  epochs(): readonly AnchoredEpoch[] {
    const anchors = archiveAnchors(crypto, this.state, this.entries)
    if (anchors === null) throw new Error('wrong log')
    return anchors.map((anchor) => {
      const bytes = this.documents[anchor.epoch] ?? new Uint8Array()
      const read = readEpochDocument(crypto, this.state.fingerprint, anchor, bytes)
      if (!read.ok) throw new Error(read.code)
      return { anchor, document: read.document }
    })
  }

  heads(): readonly LaneHead[] {
    return [...this.lanes.values()].flatMap((lane) => laneHead(lane) ?? [])
  }

  lane(of: DeviceSecrets): Lane {
    return this.lanes.get(of.id) ?? emptyLane(of.id)
  }

  /** `known`: what the device has seen of other lanes. */
  seal(
    by: DeviceSecrets,
    records: readonly ContentKeyRecord[],
    epoch = this.keys.length - 1,
    known = this.heads(),
  ) {
    const key = this.keys[epoch]
    if (key === undefined) throw new Error('no epoch')
    const { random } = this
    const last = laneHead(this.lane(by))
    const local = this.local(by)
    const sealed = sealSegment({ crypto, random, local, key, last, lanes: known, records })
    if (!sealed.ok) throw new Error(sealed.code)
    return sealed
  }

  /** The code, or `ok`; the lane is kept. */
  extend(of: DeviceSecrets, signed: SignedSegment): LaneErrorCode | 'ok' {
    const { state } = this
    const result = extendLane({ crypto, state, epochs: this.epochs(), lane: this.lane(of), signed })
    if (!result.ok) return result.code
    this.lanes.set(of.id, result.lane)
    return 'ok'
  }

  /** One segment more in the device's lane. */
  archive(by: DeviceSecrets, count = 2, known?: readonly LaneHead[]): SignedSegment {
    const { signed } = this.seal(by, this.records(count), this.keys.length - 1, known)
    const code = this.extend(by, signed)
    if (code !== 'ok') throw new Error(code)
    this.segments.push(signed)
    return signed
  }

  records(count: number): ContentKeyRecord[] {
    return Array.from({ length: count }, () => {
      const random = seededRandom(`record ${this.#records++}`)
      const room = `!${toBase64Url(random(32))}:example.org`
      return { envelope: toBase64Url(random(32)), room, K: toBase64Url(random(32)) }
    })
  }

  local(of: DeviceSecrets): LocalDevice {
    return {
      member: this.state.fingerprint,
      device: of.id,
      head: this.state.head,
      ed25519: crypto.ed25519PublicKey(of.ed25519),
      x25519: crypto.x25519PublicKey(of.x25519),
      ed25519Secret: of.ed25519,
      x25519Secret: of.x25519,
      minSuite: of.minSuite,
    }
  }
}

/** Verifies segments from nothing, as a device would that sees this account's archive for the first time. */
export function replay(
  account: ArchivedAccount,
  of: DeviceSecrets,
  segments: readonly SignedSegment[],
): Lane {
  let lane = emptyLane(of.id)
  const epochs = account.epochs()
  for (const signed of segments) {
    const result = extendLane({ crypto, state: account.state, epochs, lane, signed })
    if (!result.ok) throw new Error(result.code)
    lane = result.lane
  }
  return lane
}

/** With the first bit of some base64url text flipped. */
export function flipped(text: string): string {
  const bytes = fromBase64Url(text)
  bytes[0] = (bytes[0] ?? 0) ^ 1
  return toBase64Url(bytes)
}
