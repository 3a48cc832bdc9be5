import { describe, expect, it } from 'vitest'
import { canonicalBytes, labelled, labelledHash, LABELS, toBase64Url } from '../encoding/index.ts'
import type { Json, JsonObject } from '../encoding/index.ts'
import { seededRandom } from '../prekeys/testing/devices.ts'
import { crypto } from '../manifest/testing/account.ts'
import { damageNotSeen } from '../testing/damaged.ts'
import {
  archiveAnchorSchema,
  archiveRecordsSchema,
  archiveSegmentSchema,
  epochDocumentSchema,
  hpkeOpen,
  laneSchema,
  MAX_EPOCH_DOCUMENT,
  MAX_SEGMENT_BYTES,
  MAX_SEGMENT_RECORDS,
  sealedEpochKeySchema,
  signedSegmentSchema,
} from './index.ts'
import { ArchivedAccount, first, second } from './testing/archived-account.ts'

const random = seededRandom('archive form')
const id = (): string => toBase64Url(random(32))
const reads = (schema: { safeParse(value: unknown): { success: boolean } }) => (value: unknown) =>
  schema.safeParse(value).success

function account(): ArchivedAccount {
  const made = new ArchivedAccount()
  made.add(second)
  made.startEpoch()
  made.archive(second)
  made.startEpoch()
  return made
}

const made = account()
const [, epoch] = made.epochs()
if (epoch === undefined) throw new Error('no epoch')
const { document, anchor } = epoch
const { signed } = made.seal(first, made.records(1))
const { segment } = signed
const head = { device: first.id, count: 1, head: id() }
const earlier = { ...head, device: toBase64Url(new Uint8Array(12)) }
const manyHeads = (length: number) =>
  Array.from({ length }, (_, n) => ({
    ...head,
    device: toBase64Url(Uint8Array.of(n >> 8, n & 255, ...new Uint8Array(10))),
  })).sort((a, b) => (a.device < b.device ? -1 : 1))

describe('an epoch document', () => {
  const passes = reads(epochDocumentSchema)

  it('has all its members in their form', () => {
    expect(damageNotSeen(document as JsonObject, passes)).toEqual([])
    expect(epochDocumentSchema.parse({ ...document, more: 1 })).toHaveProperty('more', 1)
    expect(passes({ ...document, previous: null })).toBe(true)
  })

  it('keeps to the bounds of the draft', () => {
    expect([0, 1023, 1024].map((epoch) => passes({ ...document, epoch }))).toEqual([
      true,
      true,
      false,
    ])
    const [key] = document.keys
    const keys = (length: number) =>
      passes({ ...document, keys: Array.from({ length }, () => key) })
    expect([0, 1, 64, 65].map(keys)).toEqual([false, true, true, false])
    const lanes = (length: number) => passes({ ...document, lanes: manyHeads(length) })
    expect([0, 1024, 1025].map(lanes)).toEqual([true, true, false])
    expect(MAX_EPOCH_DOCUMENT).toBe(262_144)
  })

  it('lists its lanes in the order of their devices, each once', () => {
    expect(passes({ ...document, lanes: [earlier, head] })).toBe(true)
    expect(passes({ ...document, lanes: [head, earlier] })).toBe(false)
    expect(passes({ ...document, lanes: [head, head] })).toBe(false)
    expect(passes({ ...document, lanes: [{ ...head, count: 0 }] })).toBe(false)
  })

  it('seals its key to a device or to the recovery key', () => {
    const [key] = document.keys
    const to = (value: string) => reads(sealedEpochKeySchema)({ ...key, to: value })
    expect([first.id, 'recovery', 'somebody', ''].map(to)).toEqual([true, true, false, false])
  })

  it('is anchored by its number and its hash, under the label of its own', () => {
    const bytes = canonicalBytes(document as JsonObject)
    expect(anchor.document).toBe(toBase64Url(labelledHash(crypto, LABELS.archiveEpoch, bytes)))
    const stated = { epoch: anchor.epoch, document: anchor.document }
    expect(damageNotSeen(stated, reads(archiveAnchorSchema))).toEqual([])
    expect(archiveAnchorSchema.parse({ ...stated, more: 1 })).toHaveProperty('more', 1)
  })

  it('lists the lanes it was given in order, whatever order they came in', () => {
    const other = new ArchivedAccount()
    other.add(second)
    other.startEpoch(first, [head, earlier])
    expect(other.epochs()[0]?.document.lanes).toEqual([earlier, head])
    other.startEpoch(first, [earlier, head])
    expect(other.epochs()[1]?.document.lanes).toEqual([earlier, head])
  })

  it('commits to its key and seals the one before under it, as the draft has it', () => {
    const [before, key] = made.keys
    if (before === undefined || key === undefined) throw new Error('no keys')
    const { account } = document
    const place = canonicalBytes({ account, epoch: 1 })
    const commit = crypto.hkdfSha256(
      key.key,
      new Uint8Array(32),
      labelled(LABELS.archiveEpochCommit, place),
      32,
    )
    expect(document.commit).toBe(toBase64Url(commit))
    const ad = labelled(LABELS.archivePrevious, place)
    const output = crypto.hkdfSha256(key.key, new Uint8Array(32), ad, 44)
    const sealed = crypto.chacha20Poly1305Seal(
      output.slice(0, 32),
      output.slice(32),
      before.key,
      ad,
    )
    expect(document.previous).toBe(toBase64Url(sealed))
    const [mine] = document.keys
    if (mine === undefined) throw new Error('no key')
    const opened = hpkeOpen({
      crypto,
      secretKey: first.x25519,
      info: labelled(LABELS.archiveEpochKey, canonicalBytes({ account, epoch: 1, to: mine.to })),
      ad: new Uint8Array(0),
      message: {
        enc: Uint8Array.from(Buffer.from(mine.enc, 'base64url')),
        ciphertext: Uint8Array.from(Buffer.from(mine.sealed, 'base64url')),
      },
    })
    expect(opened).toEqual(key.key)
  })
})

describe('a segment', () => {
  const passes = reads(archiveSegmentSchema)

  it('has all its members in their form', () => {
    const later = made.seal(second, made.records(1)).signed.segment
    for (const value of [segment, { ...later, heads: [head] }])
      expect(
        damageNotSeen(value, passes).filter((what) => !/^sealed (short|long)$/.test(what)),
      ).toEqual([])
    expect(archiveSegmentSchema.parse({ ...segment, more: 1 })).toHaveProperty('more', 1)
    // What is signed is any JSON; whether it is a segment is asked apart.
    const passing = damageNotSeen(signed as unknown as Json, reads(signedSegmentSchema))
    expect(passing.filter((what) => !what.startsWith('segment.'))).toEqual([])
  })

  it('keeps to the bounds of the draft', () => {
    const epochs = [0, 1023, 1024].map((epoch) => passes({ ...segment, epoch }))
    expect(epochs).toEqual([true, true, false])
    const heads = (length: number) => passes({ ...segment, heads: manyHeads(length) })
    expect([0, 1024, 1025].map(heads)).toEqual([true, true, false])
    expect([MAX_SEGMENT_BYTES, MAX_SEGMENT_RECORDS]).toEqual([196_608, 128])
    const [record] = made.records(1)
    const records = (length: number) =>
      reads(archiveRecordsSchema)({ records: Array.from({ length }, () => record) })
    expect([0, 128, 129].map(records)).toEqual([true, true, false])
  })

  it('names the other lanes in order and never its own', () => {
    const own = { device: first.id, count: 9, head: id() }
    const other = { device: second.id, count: 1, head: id() }
    const known = [own, other, earlier]
    const { heads } = made.seal(first, made.records(1), 1, known).signed.segment
    expect(heads).toEqual([earlier, other].sort((a, b) => (a.device < b.device ? -1 : 1)))
    const reversed = made.seal(first, made.records(1), 1, known.toReversed()).signed.segment
    expect(reversed['heads']).toEqual(heads)
  })
})

describe('a stored lane', () => {
  it('has all its members in their form', () => {
    const lane = made.lane(second)
    expect(damageNotSeen({ ...lane, heads: [head] } as unknown as Json, reads(laneSchema))).toEqual(
      [],
    )
  })
})
