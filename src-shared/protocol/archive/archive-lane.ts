/**
 * Lanes of the archive (Recovery §10): the segments of one device, checked one after the other, and what
 * all lanes and anchors together say is missing.
 *
 * A node can always withhold the newest. What is found here is anything shorter than, or different from,
 * what an anchor in the manifest, a segment of another lane, or this device's own memory has named.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  canonicalBytes,
  deviceIdSchema,
  EncodingError,
  fromBase64Url,
  isBase64Url,
  LABELS,
  verifyLabelled,
} from '../encoding/index.ts'
import type { ManifestState } from '../manifest/index.ts'
import { laneHeadSchema } from './archive-epoch.ts'
import type { ArchiveAnchor, EpochDocument, LaneHead } from './archive-epoch.ts'
import { archiveSegmentSchema, MAX_SEGMENT_BYTES, segmentHash } from './archive-segment.ts'
import type { ArchiveSegment, SignedSegment } from './archive-segment.ts'

/** A lane as far as it has been verified; a JSON value that only `extendLane` makes. */
export type Lane = {
  readonly device: string
  /** Hash of each segment, by number. */
  readonly hashes: readonly string[]
  /** Epoch of the last segment. */
  readonly epoch: number
  /** The furthest that this lane says of each other lane. */
  readonly heads: readonly LaneHead[]
}

export const laneSchema: z.ZodType<Lane> = z.object({
  device: deviceIdSchema,
  hashes: z.array(base64UrlSchema(32)),
  epoch: z.int().nonnegative(),
  heads: z.array(laneHeadSchema),
})

export function emptyLane(device: string): Lane {
  return { device, hashes: [], epoch: 0, heads: [] }
}

/** `null` for a lane without segments. */
export function laneHead({ device, hashes }: Lane): LaneHead | null {
  const head = hashes.at(-1)
  return head === undefined ? null : { device, count: hashes.length, head }
}

/** An anchor with its document, as `readEpochDocument` has read it. */
export interface AnchoredEpoch {
  readonly anchor: ArchiveAnchor
  readonly document: EpochDocument
}

export type LaneErrorCode =
  | 'malformed'
  | 'too_large'
  | 'wrong_account'
  | 'wrong_device'
  /** The manifest does not know the device. */
  | 'unknown_device'
  | 'wrong_number'
  | 'wrong_prev'
  /** An epoch that the manifest does not anchor, or one older than the segment before it. */
  | 'wrong_epoch'
  | 'bad_signature'
  /** By a removed device, beyond what the next epoch has anchored. */
  | 'closed'

export type LaneResult =
  | { readonly ok: true; readonly lane: Lane; readonly segment: ArchiveSegment }
  | { readonly ok: false; readonly code: LaneErrorCode }

/** The lane with one more segment. `epochs` are all of the account, in order. */
export function extendLane(options: {
  readonly crypto: Crypto
  readonly state: ManifestState
  readonly epochs: readonly AnchoredEpoch[]
  readonly lane: Lane
  readonly signed: SignedSegment
}): LaneResult {
  const { crypto, state, epochs, lane, signed } = options
  const refused = (code: LaneErrorCode): LaneResult => ({ ok: false, code })
  const bytes = bytesOf(signed)
  if (bytes === null) return refused('malformed')
  if (bytes.length > MAX_SEGMENT_BYTES) return refused('too_large')
  const parsed = archiveSegmentSchema.safeParse(signed.segment)
  if (!parsed.success) return refused('malformed')
  const segment = parsed.data
  if (segment.account !== state.fingerprint) return refused('wrong_account')
  if (segment.device !== lane.device) return refused('wrong_device')
  const device = state.devices.get(lane.device)
  if (device === undefined) return refused('unknown_device')
  if (segment.n !== lane.hashes.length) return refused('wrong_number')
  if (segment.prev !== (lane.hashes.at(-1) ?? null)) return refused('wrong_prev')
  if (segment.epoch < lane.epoch || segment.epoch >= epochs.length) return refused('wrong_epoch')
  if (segment.n >= closedAt(device, epochs)) return refused('closed')
  const good =
    isBase64Url(signed.sig, 64) &&
    verifyLabelled(
      crypto,
      fromBase64Url(device.ed25519),
      LABELS.archiveSegmentSignature,
      bytes,
      fromBase64Url(signed.sig),
    )
  if (!good) return refused('bad_signature')
  const next: Lane = {
    device: lane.device,
    hashes: [...lane.hashes, segmentHash(crypto, bytes)],
    epoch: segment.epoch,
    heads: furthest([...lane.heads, ...segment.heads]),
  }
  return { ok: true, lane: next, segment }
}

/** Segments that count of a removed device: those the first epoch after its removal has anchored. */
function closedAt(
  device: { readonly id: string; readonly status: string; readonly removedAt: number | null },
  epochs: readonly AnchoredEpoch[],
): number {
  const { removedAt } = device
  if (device.status !== 'removed' || removedAt === null) return Infinity
  const next = epochs.find(({ anchor }) => anchor.height > removedAt)
  if (next === undefined) return Infinity
  return next.document.lanes.find((lane) => lane.device === device.id)?.count ?? 0
}

export type ArchiveLoss = {
  readonly device: string
  /** `truncated`: segments are missing at the end. `forked`: another segment stands in its place. */
  readonly kind: 'truncated' | 'forked'
  /** The head that was named. */
  readonly named: LaneHead
  /** Who named it. */
  readonly by: 'anchor' | 'lane' | 'memory'
}

/**
 * What is missing from `lanes`, at most one finding a device and source. `remembered`: heads that this
 * device has seen before, or that a live device has told it.
 */
export function archiveLosses(options: {
  readonly epochs: readonly AnchoredEpoch[]
  readonly lanes: readonly Lane[]
  readonly remembered: readonly LaneHead[]
}): readonly ArchiveLoss[] {
  const { epochs, lanes, remembered } = options
  const losses: ArchiveLoss[] = []
  const compare = (heads: readonly LaneHead[], by: ArchiveLoss['by']): void => {
    const found = new Set<string>()
    for (const named of heads) {
      const { device } = named
      const hashes = lanes.find((lane) => lane.device === device)?.hashes ?? []
      if (found.has(device) || hashes[named.count - 1] === named.head) continue
      found.add(device)
      losses.push({ device, kind: hashes.length < named.count ? 'truncated' : 'forked', named, by })
    }
  }
  compare(
    epochs.flatMap(({ document }) => document.lanes),
    'anchor',
  )
  compare(
    lanes.flatMap(({ heads }) => heads),
    'lane',
  )
  compare(remembered, 'memory')
  return losses
}

/** The highest count of each device, in order of the ids. */
function furthest(heads: readonly LaneHead[]): readonly LaneHead[] {
  const best = new Map<string, LaneHead>()
  for (const head of heads)
    if ((best.get(head.device)?.count ?? 0) < head.count) best.set(head.device, head)
  return [...best.values()].sort((a, b) => (a.device < b.device ? -1 : 1))
}

function bytesOf({ segment }: SignedSegment): Uint8Array | null {
  try {
    return canonicalBytes(segment)
  } catch (error) {
    if (error instanceof EncodingError) return null
    throw error
  }
}
