import { describe, expect, it } from 'vitest'
import {
  canonicalBytes,
  fromBase64Url,
  labelled,
  LABELS,
  parseJsonObject,
  toBase64Url,
  toUtf8,
} from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { removeDevices, replaceRecovery } from '../manifest/index.ts'
import { craft, crypto, words } from '../manifest/testing/account.ts'
import {
  archiveAnchors,
  epochDocumentSchema,
  epochDue,
  MAX_EPOCH_DOCUMENT,
  openEpochKey,
  openPreviousKey,
  readEpochDocument,
  sealEpochKey,
} from './index.ts'
import type { AnchoredEpoch, EpochKey } from './index.ts'
import { ArchivedAccount, first, flipped, second, third } from './testing/archived-account.ts'

function account(): ArchivedAccount {
  const made = new ArchivedAccount()
  made.add(second)
  made.startEpoch()
  return made
}

const last = (of: ArchivedAccount): AnchoredEpoch => {
  const found = of.epochs().at(-1)
  if (found === undefined) throw new Error('no epoch')
  return found
}

function openAs(of: ArchivedAccount, to: string, secret: Uint8Array): EpochKey | null {
  const { document } = last(of)
  const sealed = document.keys.find((key) => key.to === to)
  return sealed === undefined ? null : openEpochKey({ crypto, document, sealed, secret })
}

describe('an epoch key', () => {
  it('opens for every active device and for the recovery key', () => {
    const made = account()
    const key = made.keys[0]
    expect(openAs(made, first.id, first.x25519)).toEqual(key)
    expect(openAs(made, second.id, second.x25519)).toEqual(key)
    expect(openAs(made, 'recovery', words('old').x25519)).toEqual(key)
    expect(last(made).document.keys).toHaveLength(3)
  })

  it('has 32 bytes, whatever its maker commits to', () => {
    const made = account()
    const { document } = last(made)
    const short = { epoch: 0, key: made.random(31) }
    const recipient = {
      to: first.id,
      x25519: made.state.devices.get(first.id)?.x25519 ?? '',
    }
    const { random, state } = made
    const { fingerprint } = state
    const sealed = sealEpochKey({ crypto, random, account: fingerprint, key: short, recipient })
    const place = canonicalBytes({ account: fingerprint, epoch: 0 })
    const info = labelled(LABELS.archiveEpochCommit, place)
    const commit = crypto.hkdfSha256(short.key, new Uint8Array(32), info, 32)
    const lying = { ...document, commit: toBase64Url(commit) }
    expect(openEpochKey({ crypto, document: lying, sealed, secret: first.x25519 })).toBe(null)
  })

  it('opens with no other secret, and under no other name', () => {
    const made = account()
    expect(openAs(made, first.id, second.x25519)).toBe(null)
    const { document } = last(made)
    const [sealed] = document.keys
    if (sealed === undefined) throw new Error('no key')
    const open = (change: object) =>
      openEpochKey({ crypto, document, sealed: { ...sealed, ...change }, secret: first.x25519 })
    expect(open({})).toEqual(made.keys[0])
    expect(open({ to: second.id })).toBe(null)
    expect(open({ enc: flipped(sealed.enc) })).toBe(null)
    expect(open({ sealed: flipped(sealed.sealed) })).toBe(null)
  })

  it('reaches a device that came later, which checks it against the anchored document', () => {
    const made = account()
    made.add(third)
    const key = made.keys[0]
    if (key === undefined) throw new Error('no key')
    const { document } = last(made)
    const recipient = { to: third.id, x25519: made.state.devices.get(third.id)?.x25519 ?? '' }
    const { random, state } = made
    const give = (given: EpochKey, to = recipient) => {
      const sealed = sealEpochKey({
        crypto,
        random,
        account: state.fingerprint,
        key: given,
        recipient: to,
      })
      return openEpochKey({ crypto, document, sealed, secret: third.x25519 })
    }
    expect(give(key)).toEqual(key)
    expect(give({ ...key, key: random(32) })).toBe(null)
    expect(give({ ...key, epoch: 1 })).toBe(null)
    expect(give({ ...key, key: new Uint8Array(31) })).toBe(null)
  })

  it('leads back to the keys before it', () => {
    const made = account()
    made.startEpoch()
    made.startEpoch(second)
    const [zero, one, two] = made.epochs()
    if (!zero || !one || !two) throw new Error('three epochs')
    const key = openAs(made, second.id, second.x25519)
    if (key === null) throw new Error('no key')
    const before = openPreviousKey(crypto, two.document, key, one.document)
    expect(before).toEqual(made.keys[1])
    if (before === null) throw new Error('no key')
    expect(openPreviousKey(crypto, one.document, before, zero.document)).toEqual(made.keys[0])
    expect(openPreviousKey(crypto, zero.document, { ...key, epoch: 0 }, zero.document)).toBe(null)
    expect(openPreviousKey(crypto, two.document, key, zero.document)).toBe(null)
    expect(openPreviousKey(crypto, two.document, before, one.document)).toBe(null)
    const wrong = { ...key, key: made.random(32) }
    expect(openPreviousKey(crypto, two.document, wrong, one.document)).toBe(null)
    // The right key under a wrong number is none of this epoch.
    expect(openPreviousKey(crypto, two.document, { ...key, epoch: 1 }, one.document)).toBe(null)
    const numbered = { ...two.document, epoch: 1 }
    expect(openPreviousKey(crypto, numbered, key, one.document)).toBe(null)
    expect(openPreviousKey(crypto, two.document, key, { ...one.document, epoch: 0 })).toBe(null)
    const lying = { ...one.document, commit: zero.document.commit }
    expect(openPreviousKey(crypto, two.document, key, lying)).toBe(null)
  })
})

describe('a new epoch', () => {
  it('is due at first, after a removal, and after a new recovery key', () => {
    const made = new ArchivedAccount()
    expect(epochDue(made.state, null)).toBe('first')
    made.add(second)
    made.startEpoch()
    expect(epochDue(made.state, last(made))).toBe(null)
    made.add(third)
    expect(epochDue(made.state, last(made))).toBe(null)
    made.append((state) => removeDevices(crypto, state, first, [third.id]))
    expect(epochDue(made.state, last(made))).toBe('device_removed')
    made.startEpoch()
    expect(epochDue(made.state, last(made))).toBe(null)
    made.append((state) => replaceRecovery(crypto, state, first, words('new'), words('old')))
    expect(epochDue(made.state, last(made))).toBe('recovery_replaced')
    made.startEpoch()
    expect(epochDue(made.state, last(made))).toBe(null)
    expect(openAs(made, 'recovery', words('old').x25519)).toBe(null)
    expect(openAs(made, 'recovery', words('new').x25519)).toEqual(made.keys[2])
    expect(openAs(made, third.id, third.x25519)).toBe(null)
  })
})

describe('anchors', () => {
  it('are the epoch entries that carry on the count', () => {
    const made = account()
    const by = first.id
    const other = (archive: JsonObject) =>
      made.append((state) => craft(state, { kind: 'epoch', by, archive }, { by: first.ed25519 }))
    other({})
    other({ epoch: 5, document: last(made).anchor.document })
    other({ epoch: 0, document: last(made).anchor.document })
    made.append((state) => craft(state, { kind: 'epoch', by }, { by: first.ed25519 }))
    const archive = { epoch: 1, document: last(made).anchor.document }
    const removal = { kind: 'remove_device', by, devices: [second.id], archive }
    made.append((state) => craft(state, removal, { by: first.ed25519 }))
    made.startEpoch()
    const anchors = archiveAnchors(crypto, made.state, made.entries)
    expect(anchors?.map(({ epoch, height }) => [epoch, height])).toEqual([
      [0, 2],
      [1, 8],
    ])
  })

  it('are not read from another log', () => {
    const made = account()
    expect(archiveAnchors(crypto, made.state, made.entries.slice(0, 2))).toBe(null)
    const forged = made.entries.with(2, { ...made.entries[2], archive: { epoch: 0, document: '' } })
    expect(archiveAnchors(crypto, made.state, forged)).toBe(null)
  })

  it('tie the document down to the byte', () => {
    const made = account()
    const { anchor } = last(made)
    const bytes = made.documents[0] ?? new Uint8Array()
    const { fingerprint } = made.state
    const read = (of: Uint8Array, at = anchor, account = fingerprint) => {
      const result = readEpochDocument(crypto, account, at, of)
      return result.ok ? 'ok' : result.code
    }
    expect(read(bytes)).toBe('ok')
    expect(read(bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte)))).toBe('wrong_document')
    expect(read(new Uint8Array(MAX_EPOCH_DOCUMENT + 1))).toBe('too_large')
    expect(read(bytes, { ...anchor, epoch: 1 })).toBe('malformed')
    expect(read(bytes, anchor, first.id)).toBe('malformed')
  })

  it('of what is no document are refused as such', () => {
    const made = account()
    const document = parseJsonObject(made.documents[0] ?? new Uint8Array(), {
      maxBytes: MAX_EPOCH_DOCUMENT,
    })
    const lane = { device: first.id, count: 1, head: last(made).anchor.document }
    const bad: readonly (JsonObject | string)[] = [
      'no JSON',
      JSON.stringify(document, null, 1),
      { ...document, previous: last(made).document.keys[0]?.sealed ?? '' },
      { ...document, keys: [] },
      { ...document, commit: '' },
      { ...document, lanes: [lane, lane] },
      { ...document, lanes: [{ ...lane, count: 0 }] },
      { ...document, epoch: -1 },
    ]
    for (const [index, what] of bad.entries()) {
      const bytes = typeof what === 'string' ? toUtf8(what) : canonicalBytes(what)
      const hash = crypto.sha256(Uint8Array.from([...toUtf8('eccp/archive-epoch/1\0'), ...bytes]))
      const anchor = { ...last(made).anchor, document: Buffer.from(hash).toString('base64url') }
      const read = readEpochDocument(crypto, made.state.fingerprint, anchor, bytes)
      expect([index, read]).toEqual([index, { ok: false, code: 'malformed' }])
    }
    expect(epochDocumentSchema.safeParse(document).success).toBe(true)
    expect(fromBase64Url(last(made).document.commit)).toHaveLength(32)
  })
})
