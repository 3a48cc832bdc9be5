/**
 * Epochs of the archive (Recovery §10): the key under which content keys are archived, to whom it is
 * sealed, and how it leads back to the keys before it.
 *
 * A document holds the sealed keys and the heads of all lanes; an `epoch` entry in the manifest names its
 * hash, which makes it authentic and anchors those heads. A new epoch is due with every device that is
 * removed and every new recovery key: whoever is out keeps what it had, and gets nothing further.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  canonicalBytes,
  deviceIdSchema,
  EncodingError,
  fingerprintSchema,
  fromBase64Url,
  labelled,
  labelledHash,
  LABELS,
  parseJsonObject,
  toBase64Url,
} from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { activeDevices, BY_RECOVERY, manifestEntryHash, signEntry } from '../manifest/index.ts'
import type { EntryAuthor, ManifestState, SignedEntry } from '../manifest/index.ts'
import type { Random } from '../prekeys/index.ts'
import { hpkeOpen, hpkeSeal } from './hpke.ts'

export const EPOCH_KEY_BYTES = 32
/** Canonical bytes of one document. */
export const MAX_EPOCH_DOCUMENT = 256 * 1024
const NO_SALT = new Uint8Array(32)

const epochNumber = z.int().min(0).max(1023)
/** A device, or the account's recovery key. */
const recipientSchema = z.union([deviceIdSchema, z.literal(BY_RECOVERY)])

/** How far a device's lane has come. */
export const laneHeadSchema = z.object({
  device: deviceIdSchema,
  /** Segments, at least one. */
  count: z.int().positive(),
  /** Hash of the last one. */
  head: base64UrlSchema(32),
})
export type LaneHead = z.infer<typeof laneHeadSchema>

/** The epoch's key for one recipient; HPKE. */
export const sealedEpochKeySchema = z.object({
  to: recipientSchema,
  enc: base64UrlSchema(32),
  sealed: base64UrlSchema(EPOCH_KEY_BYTES + 16),
})
export type SealedEpochKey = z.infer<typeof sealedEpochKeySchema>

export const epochDocumentSchema = z.looseObject({
  v: z.literal(1),
  account: fingerprintSchema,
  epoch: epochNumber,
  /** Commitment to the epoch's key. */
  commit: base64UrlSchema(32),
  /** Whoever was to have the key when the epoch began. */
  keys: z.array(sealedEpochKeySchema).min(1).max(64),
  /** The recovery key that `keys` is sealed to. */
  recovery: base64UrlSchema(32),
  /** The predecessor's key, sealed under this one; `null` in epoch 0. */
  previous: base64UrlSchema(EPOCH_KEY_BYTES + 16).nullable(),
  /** As the maker of the epoch knew them; one a device, in order of the ids. */
  lanes: z.array(laneHeadSchema).max(1024).refine(isSortedByDevice, 'bad order'),
})
export type EpochDocument = z.infer<typeof epochDocumentSchema>

export function isSortedByDevice(heads: readonly { readonly device: string }[]): boolean {
  return heads.every(
    ({ device }, index) => index === 0 || (heads[index - 1]?.device ?? '') < device,
  )
}

/** What an `epoch` entry says of the archive. */
export const archiveAnchorSchema = z.looseObject({
  epoch: epochNumber,
  document: base64UrlSchema(32),
})

export type ArchiveAnchor = {
  readonly epoch: number
  /** Hash of the document. */
  readonly document: string
  /** Of the entry in the manifest. */
  readonly height: number
}

/** An epoch's number and its key, 32 bytes. */
export interface EpochKey {
  readonly epoch: number
  readonly key: Uint8Array
}

/**
 * The anchors of a verified manifest; `entries` is its log. Entries that do not carry on the count are
 * no anchors. `null` where the log is not the one that `state` was made from.
 */
export function archiveAnchors(
  crypto: Crypto,
  state: ManifestState,
  entries: readonly JsonObject[],
): readonly ArchiveAnchor[] | null {
  const anchors: ArchiveAnchor[] = []
  for (const [height, { kind, hash }] of state.steps.entries()) {
    if (kind !== 'epoch') continue
    const entry = entries[height]
    if (entry === undefined || manifestEntryHash(crypto, entry) !== hash) return null
    const parsed = archiveAnchorSchema.safeParse(entry['archive'])
    if (!parsed.success || parsed.data.epoch !== anchors.length) continue
    const { epoch, document } = parsed.data
    anchors.push({ epoch, document, height })
  }
  return anchors
}

export type EpochReason = 'first' | 'device_removed' | 'recovery_replaced'

/** Why a new epoch is due, or `null`. `last` is the last anchor with its document. */
export function epochDue(
  state: ManifestState,
  last: { readonly anchor: ArchiveAnchor; readonly document: EpochDocument } | null,
): EpochReason | null {
  if (last === null) return 'first'
  // Also devices that were given the key later, and one that was let in and removed since.
  const removed = state.steps
    .slice(last.anchor.height + 1)
    .some(({ removes }) => removes.length > 0)
  if (removed) return 'device_removed'
  return last.document.recovery === state.recovery.x25519 ? null : 'recovery_replaced'
}

/**
 * A new epoch and the manifest entry that anchors it. Commit the key before the entry is sent; where the
 * node says that the head has moved, make it anew: another device may have been quicker.
 */
export function startEpoch(options: {
  readonly crypto: Crypto
  readonly random: Random
  readonly state: ManifestState
  readonly author: EntryAuthor
  /** The epoch that ends; `null` for the first. */
  readonly previous: EpochKey | null
  /** Heads of all lanes, those of removed devices included. */
  readonly lanes: readonly LaneHead[]
}): {
  readonly key: EpochKey
  readonly document: EpochDocument
  readonly bytes: Uint8Array
  readonly entry: SignedEntry
} {
  const { crypto, random, state, author, previous } = options
  const account = state.fingerprint
  const epoch = previous === null ? 0 : previous.epoch + 1
  const key: EpochKey = { epoch, key: random(EPOCH_KEY_BYTES) }
  const place = { account, epoch }
  const recipients = [
    ...activeDevices(state).map(({ id, x25519 }) => ({ to: id, x25519 })),
    { to: BY_RECOVERY, x25519: state.recovery.x25519 },
  ]
  const document: EpochDocument = {
    v: 1,
    account,
    epoch,
    commit: commitOf(crypto, place, key.key),
    keys: recipients.map((recipient) => sealEpochKey({ crypto, random, account, key, recipient })),
    recovery: state.recovery.x25519,
    previous: previous === null ? null : sealPrevious(crypto, place, key.key, previous.key),
    lanes: [...options.lanes].sort((a, b) => (a.device < b.device ? -1 : 1)),
  }
  const bytes = canonicalBytes(document as JsonObject)
  const entry: JsonObject = {
    v: 1,
    kind: 'epoch',
    account,
    height: state.height + 1,
    prev: state.head,
    by: author.id,
    archive: { epoch, document: documentHash(crypto, bytes) },
  }
  const by = signEntry(crypto, 'by', author.ed25519, entry)
  return { key, document, bytes, entry: { entry, signatures: { by } } }
}

/**
 * The epoch's key for one more recipient: a device that came after the epoch began. It needs no
 * signature: the recipient checks it against the anchored document.
 */
export function sealEpochKey(options: {
  readonly crypto: Crypto
  readonly random: Random
  readonly account: string
  readonly key: EpochKey
  readonly recipient: { readonly to: string; readonly x25519: string }
}): SealedEpochKey {
  const { crypto, random, account, key, recipient } = options
  const { enc, ciphertext } = hpkeSeal({
    crypto,
    random,
    publicKey: fromBase64Url(recipient.x25519),
    info: keyInfo(account, key.epoch, recipient.to),
    ad: new Uint8Array(0),
    plaintext: key.key,
  })
  return { to: recipient.to, enc: toBase64Url(enc), sealed: toBase64Url(ciphertext) }
}

export type ReadEpochErrorCode = 'too_large' | 'malformed' | 'wrong_document'

/** A document as a node stores it, which must be the one that the manifest's anchor names. */
export function readEpochDocument(
  crypto: Crypto,
  account: string,
  anchor: ArchiveAnchor,
  bytes: Uint8Array,
):
  | { readonly ok: true; readonly document: EpochDocument }
  | { readonly ok: false; readonly code: ReadEpochErrorCode } {
  if (bytes.length > MAX_EPOCH_DOCUMENT) return { ok: false, code: 'too_large' }
  if (documentHash(crypto, bytes) !== anchor.document) return { ok: false, code: 'wrong_document' }
  try {
    const value = parseJsonObject(bytes, { maxBytes: MAX_EPOCH_DOCUMENT, canonical: true })
    const parsed = epochDocumentSchema.safeParse(value)
    if (!parsed.success) return { ok: false, code: 'malformed' }
    const { data } = parsed
    const fits = data.account === account && data.epoch === anchor.epoch
    const linked = (data.previous === null) === (data.epoch === 0)
    return fits && linked ? { ok: true, document: data } : { ok: false, code: 'malformed' }
  } catch (error) {
    if (error instanceof EncodingError) return { ok: false, code: 'malformed' }
    throw error
  }
}

/**
 * The epoch's key from what was sealed to one recipient, in the document or later; `null` where it is not
 * for this secret or not the epoch's key.
 */
export function openEpochKey(options: {
  readonly crypto: Crypto
  readonly document: EpochDocument
  readonly sealed: SealedEpochKey
  /** X25519 secret of the device, or of the recovery key. */
  readonly secret: Uint8Array
}): EpochKey | null {
  const { crypto, document, sealed, secret } = options
  const { account, epoch } = document
  const key = hpkeOpen({
    crypto,
    secretKey: secret,
    info: keyInfo(account, epoch, sealed.to),
    ad: new Uint8Array(0),
    message: { enc: fromBase64Url(sealed.enc), ciphertext: fromBase64Url(sealed.sealed) },
  })
  return key === null ? null : checked(crypto, document, key)
}

/** The key of the epoch before `document`'s, or `null`. `before` is that epoch's document. */
export function openPreviousKey(
  crypto: Crypto,
  document: EpochDocument,
  key: EpochKey,
  before: EpochDocument,
): EpochKey | null {
  const { account, epoch, previous } = document
  if (previous === null || key.epoch !== epoch || before.epoch !== epoch - 1) return null
  const sealing = previousKeys(crypto, { account, epoch }, key.key)
  const opened = crypto.chacha20Poly1305Open(
    sealing.key,
    sealing.nonce,
    fromBase64Url(previous),
    sealing.ad,
  )
  return opened === null ? null : checked(crypto, before, opened)
}

type Place = { readonly account: string; readonly epoch: number }

function checked(crypto: Crypto, document: EpochDocument, key: Uint8Array): EpochKey | null {
  if (key.length !== EPOCH_KEY_BYTES) return null
  const commit = fromBase64Url(commitOf(crypto, document, key))
  if (!crypto.equal(commit, fromBase64Url(document.commit))) return null
  return { epoch: document.epoch, key }
}

function documentHash(crypto: Crypto, bytes: Uint8Array): string {
  return toBase64Url(labelledHash(crypto, LABELS.archiveEpoch, bytes))
}

function commitOf(crypto: Crypto, { account, epoch }: Place, key: Uint8Array): string {
  const info = labelled(LABELS.archiveEpochCommit, canonicalBytes({ account, epoch }))
  return toBase64Url(crypto.hkdfSha256(key, NO_SALT, info, 32))
}

function keyInfo(account: string, epoch: number, to: string): Uint8Array {
  return labelled(LABELS.archiveEpochKey, canonicalBytes({ account, epoch, to }))
}

function sealPrevious(crypto: Crypto, place: Place, key: Uint8Array, previous: Uint8Array): string {
  const sealing = previousKeys(crypto, place, key)
  return toBase64Url(crypto.chacha20Poly1305Seal(sealing.key, sealing.nonce, previous, sealing.ad))
}

/** An epoch's key seals one predecessor, which is why the nonce may be derived. */
function previousKeys(
  crypto: Crypto,
  { account, epoch }: Place,
  key: Uint8Array,
): { readonly key: Uint8Array; readonly nonce: Uint8Array; readonly ad: Uint8Array } {
  const ad = labelled(LABELS.archivePrevious, canonicalBytes({ account, epoch }))
  const output = crypto.hkdfSha256(key, NO_SALT, ad, 44)
  return { key: output.subarray(0, 32), nonce: output.subarray(32), ad }
}
