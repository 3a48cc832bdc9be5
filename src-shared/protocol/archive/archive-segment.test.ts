import { describe, expect, it } from 'vitest'
import { canonicalBytes, fromBase64Url, toBase64Url } from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { paddedSize } from '../envelope/index.ts'
import type { EnvelopeHeader, MessageContent } from '../envelope/index.ts'
import { contestRemoval, removeDevices } from '../manifest/index.ts'
import { crypto, device, words } from '../manifest/testing/account.ts'
import {
  archiveLosses,
  archiveRecord,
  emptyLane,
  extendLane,
  laneHead,
  laneSchema,
  MAX_SEGMENT_BYTES,
  MAX_SEGMENT_RECORDS,
  openSegment,
  sealSegment,
  signedSegmentSchema,
} from './index.ts'
import type { ArchiveLoss, EpochKey, Lane, SignedSegment } from './index.ts'
import {
  ArchivedAccount,
  first,
  flipped,
  replay,
  second,
  third,
} from './testing/archived-account.ts'

function account(): ArchivedAccount {
  const made = new ArchivedAccount()
  made.add(second)
  made.startEpoch()
  return made
}

const keyOf = (made: ArchivedAccount, epoch = 0): EpochKey => {
  const key = made.keys[epoch]
  if (key === undefined) throw new Error('no key')
  return key
}

describe('a segment', () => {
  it('holds its records for whoever has the epoch’s key', () => {
    const made = account()
    const records = made.records(3)
    const { signed } = made.seal(first, records)
    expect(signedSegmentSchema.safeParse(signed).success).toBe(true)
    expect(openSegment(crypto, keyOf(made), signed.segment)).toEqual({ ok: true, records })
    const other = { epoch: 0, key: made.random(32) }
    expect(openSegment(crypto, other, signed.segment)).toEqual({
      ok: false,
      code: 'undecipherable',
    })
    const later = { epoch: 1, key: keyOf(made).key }
    expect(openSegment(crypto, later, signed.segment)).toEqual({ ok: false, code: 'wrong_epoch' })
    expect(openSegment(crypto, keyOf(made), {})).toEqual({ ok: false, code: 'malformed' })
    const unsaid = { ...signed.segment, more: 0.5 }
    expect(openSegment(crypto, keyOf(made), unsaid)).toEqual({ ok: false, code: 'malformed' })
  })

  it('opens with nothing in it changed', () => {
    const made = account()
    made.archive(second)
    const { segment } = made.seal(first, made.records(1)).signed
    const changes: JsonObject = {
      account: flipped(String(segment['account'])),
      device: second.id,
      n: 1,
      prev: flipped(String(segment['account'])),
      nonce: flipped(String(segment['nonce'])),
      heads: [],
      sealed: flipped(String(segment['sealed'])),
      more: 1,
    }
    for (const [field, value] of Object.entries(changes))
      expect([field, openSegment(crypto, keyOf(made), { ...segment, [field]: value })]).toEqual([
        field,
        { ok: false, code: 'undecipherable' },
      ])
  })

  it('is padded', () => {
    const made = account()
    for (const count of [1, 2, 3, 50]) {
      const { sealed } = made.seal(first, made.records(count)).signed.segment
      const plain = fromBase64Url(String(sealed)).length - 16
      expect(paddedSize(plain)).toBe(plain)
    }
  })

  it('is never sealed twice with one key, even by a device that forgot the first', () => {
    const made = account()
    const records = made.records(1)
    const [one, two] = [made.seal(first, records), made.seal(first, records)]
    expect(one.signed.segment['sealed']).not.toBe(two.signed.segment['sealed'])
  })

  it('holds a bounded number of whole records', () => {
    const made = account()
    const records = made.records(MAX_SEGMENT_RECORDS)
    const { signed } = made.seal(first, records)
    expect(canonicalBytes(signed.segment).length).toBeLessThan(MAX_SEGMENT_BYTES)
    const attempt = (of: typeof records) => {
      const { random } = made
      const key = keyOf(made)
      const local = made.local(first)
      const sealed = sealSegment({ crypto, random, local, key, last: null, lanes: [], records: of })
      return sealed.ok ? 'ok' : sealed.code
    }
    expect(attempt([])).toBe('no_records')
    expect(attempt([...records, ...made.records(1)])).toBe('too_many_records')
    expect(attempt(made.records(1).map((record) => ({ ...record, K: '' })))).toBe('bad_records')
  })

  it('with something else inside is refused as such', () => {
    const made = account()
    const { random } = made
    // The maker of a segment can put anything into it.
    const inside = (text: string) => {
      const lying = {
        ...crypto,
        chacha20Poly1305Seal: (key: Uint8Array, nonce: Uint8Array, _: Uint8Array, ad: Uint8Array) =>
          crypto.chacha20Poly1305Seal(key, nonce, new TextEncoder().encode(text), ad),
      }
      const [key, local, records] = [keyOf(made), made.local(first), made.records(1)]
      const sealed = sealSegment({
        crypto: lying,
        random,
        local,
        key,
        last: null,
        lanes: [],
        records,
      })
      if (!sealed.ok) throw new Error(sealed.code)
      const opened = openSegment(crypto, key, sealed.signed.segment)
      return opened.ok ? 'ok' : opened.code
    }
    expect(inside('{"pad":"","records":[]}')).toBe('ok')
    expect(inside('{"records":[{}]}')).toBe('bad_records')
    expect(inside('{"records": []}')).toBe('bad_records')
    expect(inside('no')).toBe('bad_records')
  })
})

describe('what is archived of a message', () => {
  const header = { room: '!r:example.org' } as EnvelopeHeader
  const content: MessageContent = { v: 1, kind: 'text', text: 'hello' }
  const contentKey = new Uint8Array(32).fill(7)
  const archived = (changes: { header?: object; content?: object }) =>
    archiveRecord({
      id: 'id',
      header: { ...header, ...changes.header },
      content: { ...content, ...changes.content },
      contentKey,
    })

  it('is its key', () => {
    const record = { envelope: 'id', room: header.room, K: toBase64Url(contentKey) }
    expect(archived({})).toEqual(record)
  })

  it('is nothing where it disappears, wherever that is said', () => {
    expect(archived({ header: { expires_at: 1 } })).toBe(null)
    expect(archived({ content: { expires_at: 1 } })).toBe(null)
    expect(archived({ header: { expires_at: 0 } })).toBe(null)
  })
})

describe('a lane', () => {
  it('grows by segments that name the one before', () => {
    const made = account()
    for (let n = 0; n < 3; n++) made.archive(first)
    const lane = made.lane(first)
    expect(lane.hashes).toHaveLength(3)
    expect(laneSchema.parse(lane)).toEqual(lane)
    expect(replay(made, first, made.segments)).toEqual(lane)
    expect(laneHead(lane)).toEqual({ device: first.id, count: 3, head: lane.hashes[2] })
    expect(laneHead(emptyLane(first.id))).toBe(null)
    expect(emptyLane(first.id)).toEqual({ device: first.id, hashes: [], epoch: 0, heads: [] })
    const next = made.seal(first, made.records(1))
    expect(made.extend(first, next.signed)).toBe('ok')
    expect(laneHead(made.lane(first))).toEqual(next.head)
  })

  it('takes no segment twice, none early, none of another branch', () => {
    const made = account()
    const one = made.archive(first)
    const fork = made.seal(first, made.records(1)).signed
    const two = made.archive(first)
    const three = made.seal(first, made.records(1)).signed
    expect(made.extend(first, one)).toBe('wrong_number')
    expect(made.extend(first, two)).toBe('wrong_number')
    expect(made.extend(first, three)).toBe('ok')
    const other = account()
    other.random(1)
    other.archive(first)
    expect(other.extend(first, two)).toBe('wrong_prev')
    expect(replay(made, first, [one, fork]).hashes).toHaveLength(2)
    expect(() => replay(made, first, [one, fork, three])).toThrow('wrong_prev')
    expect(() => replay(made, first, [two])).toThrow('wrong_number')
  })

  it('takes nothing that its device has not signed', () => {
    const made = account()
    const { signed } = made.seal(first, made.records(1))
    const { segment, sig } = signed
    expect(made.extend(first, { segment, sig: flipped(sig) })).toBe('bad_signature')
    expect(made.extend(first, { segment, sig: '' })).toBe('bad_signature')
    expect(made.extend(first, { segment: { ...segment, extra: 1 }, sig })).toBe('bad_signature')
    const forged = made.seal({ ...second, id: first.id }, made.records(1)).signed
    expect(made.extend(first, forged)).toBe('bad_signature')
    expect(made.extend(second, signed)).toBe('wrong_device')
    expect(made.extend(first, signed)).toBe('ok')
  })

  it('takes nothing of another account, of an unknown device, or that is no segment', () => {
    const made = account()
    const { segment, sig } = made.seal(first, made.records(1)).signed
    const changed = (change: JsonObject) =>
      made.extend(first, { segment: { ...segment, ...change }, sig })
    expect(changed({ account: flipped(String(segment['account'])) })).toBe('wrong_account')
    expect(changed({ v: 2 })).toBe('malformed')
    expect(changed({ more: -0 })).toBe('malformed')
    expect(changed({ sealed: 'A'.repeat(MAX_SEGMENT_BYTES) })).toBe('too_large')
    const rest = MAX_SEGMENT_BYTES - canonicalBytes({ ...segment, more: '' }).length
    expect(changed({ more: 'x'.repeat(rest) })).toBe('bad_signature')
    expect(changed({ more: 'x'.repeat(rest + 1) })).toBe('too_large')
    const lane = { device: second.id, count: 1, head: String(segment['account']) }
    expect(changed({ heads: [lane, lane] })).toBe('malformed')
    const stranger = device('stranger')
    expect(made.extend(stranger, made.seal(stranger, made.records(1)).signed)).toBe(
      'unknown_device',
    )
  })

  it('never goes back to an older epoch, and knows no epoch that is not anchored', () => {
    const made = account()
    made.startEpoch()
    made.archive(first)
    expect(made.extend(first, made.seal(first, made.records(1), 0).signed)).toBe('wrong_epoch')
    made.keys.push({ epoch: 2, key: made.random(32) })
    expect(made.extend(first, made.seal(first, made.records(1), 2).signed)).toBe('wrong_epoch')
    expect(made.extend(second, made.seal(second, made.records(1), 0).signed)).toBe('ok')
  })

  it('of a removed device ends where the next epoch has anchored it', () => {
    const made = account()
    made.archive(second)
    const anchored = made.heads()
    const late = made.archive(second)
    made.append((state) => removeDevices(crypto, state, first, [second.id]))
    const open = replay(made, second, made.segments)
    expect(open.hashes).toHaveLength(2)
    made.startEpoch(first, anchored)
    expect(() => replay(made, second, [...made.segments])).toThrow('closed')
    made.lanes.set(second.id, replay(made, second, made.segments.slice(0, 1)))
    expect(made.extend(second, late)).toBe('closed')
    made.startEpoch(first, made.heads())
    expect(made.extend(second, late)).toBe('closed')
  })

  it('of a removed device ends at its own count, not at that of another lane', () => {
    const made = account()
    for (let n = 0; n < 3; n++) made.archive(first)
    made.archive(second)
    const anchored = made.heads()
    made.append((state) => removeDevices(crypto, state, first, [second.id]))
    const late = made.seal(second, made.records(1)).signed
    made.startEpoch(first, anchored)
    expect(made.extend(second, late)).toBe('closed')
  })

  it('of a device that came back by a contest goes on', () => {
    const made = account()
    made.archive(second)
    made.append((state) => removeDevices(crypto, state, first, [second.id]))
    const removal = made.state.head
    made.startEpoch()
    const recovery = words('old')
    made.append((state) => contestRemoval(crypto, state, second, recovery, removal, [first.id]))
    expect(made.extend(second, made.seal(second, made.records(1)).signed)).toBe('ok')
  })

  it('of a removed device that had archived nothing stays empty', () => {
    const made = account()
    const { signed } = made.seal(second, made.records(1))
    made.append((state) => removeDevices(crypto, state, first, [second.id]))
    made.startEpoch()
    expect(made.extend(second, signed)).toBe('closed')
  })
})

describe('losses', () => {
  const lanesOf = (...lanes: readonly Lane[]): readonly Lane[] => lanes
  const brief = (losses: readonly ArchiveLoss[]) =>
    losses
      .map(({ device, kind, by }) => [device === first.id ? 'first' : 'second', kind, by])
      .sort()

  /** First has three segments, second two; the second epoch and second's last segment know of them. */
  function grown(): { made: ArchivedAccount; firsts: SignedSegment[]; seconds: SignedSegment[] } {
    const made = account()
    const firsts = [made.archive(first), made.archive(first)]
    const seconds = [made.archive(second)]
    made.startEpoch()
    firsts.push(made.archive(first))
    seconds.push(made.archive(second))
    return { made, firsts, seconds }
  }

  const find = (
    made: ArchivedAccount,
    lanes: readonly Lane[],
    remembered: Parameters<typeof archiveLosses>[0]['remembered'] = [],
  ) => brief(archiveLosses({ epochs: made.epochs(), lanes, remembered }))

  it('are none where everything is there', () => {
    const { made } = grown()
    expect(find(made, lanesOf(made.lane(first), made.lane(second)), made.heads())).toEqual([])
  })

  it('are found by what the anchor names', () => {
    const { made, firsts } = grown()
    expect(find(made, lanesOf(replay(made, first, firsts.slice(0, 1))))).toEqual([
      ['first', 'truncated', 'anchor'],
      ['second', 'truncated', 'anchor'],
    ])
  })

  it('are found by what another lane names', () => {
    const { made, firsts } = grown()
    const short = replay(made, first, firsts.slice(0, 2))
    expect(find(made, lanesOf(short, made.lane(second)))).toEqual([['first', 'truncated', 'lane']])
  })

  it('are found by what this device remembers', () => {
    const { made, firsts, seconds } = grown()
    const lanes = lanesOf(
      replay(made, first, firsts.slice(0, 2)),
      replay(made, second, seconds.slice(0, 1)),
    )
    expect(find(made, lanes)).toEqual([])
    expect(find(made, lanes, made.heads())).toEqual([
      ['first', 'truncated', 'memory'],
      ['second', 'truncated', 'memory'],
    ])
  })

  it('are found where a device shows two lanes', () => {
    const { made, firsts } = grown()
    const other = made.lane(first)
    made.lanes.set(first.id, replay(made, first, firsts.slice(0, 1)))
    const fork = made.seal(first, made.records(1)).signed
    expect(made.extend(first, fork)).toBe('ok')
    expect(made.extend(first, made.seal(first, made.records(1)).signed)).toBe('ok')
    expect(find(made, lanesOf(made.lane(first), made.lane(second)))).toEqual([
      ['first', 'forked', 'anchor'],
      ['first', 'forked', 'lane'],
    ])
    expect(find(made, lanesOf(other, made.lane(second)))).toEqual([])
  })

  it('keep the furthest of what a lane has named', () => {
    const made = account()
    made.archive(first)
    made.archive(second)
    made.archive(first)
    made.archive(second, 1, [])
    made.archive(second)
    const [named] = made.lane(second).heads
    expect(named).toEqual(laneHead(made.lane(first)))
    expect(fromBase64Url(named?.head ?? '')).toHaveLength(32)
    const behind = { device: first.id, count: 1, head: made.lane(first).hashes[0] ?? '' }
    made.archive(second, 1, [behind])
    expect(made.lane(second).heads).toEqual([named])
  })

  it('are one a device and source, however often it is named', () => {
    const { made } = grown()
    made.startEpoch()
    expect(find(made, lanesOf(made.lane(first)))).toEqual([
      ['second', 'truncated', 'anchor'],
      ['second', 'truncated', 'lane'],
    ])
  })

  it('are found in whatever order a lane has come to know of the others', () => {
    const made = account()
    made.add(third)
    const others = [second, third].sort((a, b) => (a.id < b.id ? -1 : 1))
    for (const other of others) made.archive(other)
    const heads = others.map((other) => laneHead(made.lane(other)))
    const [low, high] = heads
    if (!low || !high) throw new Error('no heads')
    made.archive(first, 1, [high])
    made.archive(first, 1, [low])
    expect(made.lane(first).heads).toEqual([low, high])
  })

  it('leave a lane alone that extends beyond what anyone names', () => {
    const { made } = grown()
    const state = made.state
    const signed = made.seal(first, made.records(1)).signed
    const epochs = made.epochs()
    const extended = extendLane({ crypto, state, epochs, lane: made.lane(first), signed })
    if (!extended.ok) throw new Error(extended.code)
    expect(find(made, lanesOf(extended.lane, made.lane(second)))).toEqual([])
  })
})
