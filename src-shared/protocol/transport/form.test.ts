import { describe, expect, it } from 'vitest'
import {
  canonicalBytes,
  labelled,
  labelledHash,
  LABELS,
  toBase64Url,
  toUtf8,
} from '../encoding/index.ts'
import type { Json, JsonObject } from '../encoding/index.ts'
import { asPeer, crypto, seededRandom } from '../prekeys/testing/devices.ts'
import { End } from '../ratchet/testing/two-devices.ts'
import { damageNotSeen } from '../testing/damaged.ts'
import {
  acceptChain,
  chainDistributionSchema,
  MAX_CHAIN_AGE,
  MAX_PAIRWISE_DEVICES,
  MAX_RECEIVING_CHAINS,
  MAX_SKIPPED_CHAIN_KEYS,
  noReceivingChains,
  openToDevice,
  parseReceivingChains,
  parseSendingChain,
  sealToDevice,
  shareChain,
  startSendingChain,
  takeChainKey,
  takeContentKey,
  toDeviceContentSchema,
  toDeviceEnvelopeSchema,
  unwrapKey,
  wrapKey,
  wrapSchema,
} from './index.ts'
import type { KnownToDeviceContent } from './index.ts'

const random = seededRandom('transport form')
const id = (): string => toBase64Url(random(32))
const room = `!${id()}:example.org`

function ends(): { alice: End; bob: End } {
  const alice = new End('alice', 4)
  const bob = new End('bob', 4)
  alice.initiate(bob)
  return { alice, bob }
}

/** The adapter of a sender that puts `plaintext` where this version would put something else. */
const saying = (plaintext: Uint8Array) => ({
  ...crypto,
  chacha20Poly1305Seal: (key: Uint8Array, nonce: Uint8Array, _: Uint8Array, ad: Uint8Array) =>
    crypto.chacha20Poly1305Seal(key, nonce, plaintext, ad),
})

describe('a wrap', () => {
  const envelope = id()
  const contentKey = random(32)

  function wrapped(plaintext?: Uint8Array) {
    const { alice, bob } = ends()
    const made = wrapKey({
      crypto: plaintext === undefined ? crypto : saying(plaintext),
      random: alice.random,
      set: alice.set,
      peer: asPeer(bob.local),
      envelope,
      contentKey,
    })
    if (!made.ok) throw new Error(made.code)
    const { wrap } = made
    const { set, prekeys, local } = bob
    const opened = unwrapKey({
      crypto,
      set,
      prekeys,
      local,
      peer: asPeer(alice.local),
      envelope,
      wrap,
    })
    return { wrap, outcome: opened.ok ? toBase64Url(opened.contentKey) : opened.code }
  }

  it('has all its members in their form', () => {
    const { wrap } = wrapped()
    expect(damageNotSeen(wrap as Json, (value) => wrapSchema.safeParse(value).success)).toEqual([])
  })

  it('holds canonical JSON with key and head, and perhaps more', () => {
    const K = toBase64Url(contentKey)
    const head = id()
    const inside = (value: JsonObject) => wrapped(canonicalBytes(value)).outcome
    expect(inside({ K, head })).toBe(K)
    expect(inside({ K, head, more: [1] })).toBe(K)
    for (const bad of [{ K }, { head }, { K: '', head }, { K, head: '' }])
      expect(inside(bad)).toBe('bad_content')
    expect(wrapped(toUtf8(`{"K":"${K}", "head":"${head}"}`)).outcome).toBe('bad_content')
    expect(wrapped(toUtf8('no JSON')).outcome).toBe('bad_content')
  })

  it('holds at most 1,024 bytes', () => {
    const whole = { K: toBase64Url(contentKey), head: id(), more: '' }
    const length = 1024 - canonicalBytes(whole).length
    const inside = (more: number) =>
      wrapped(canonicalBytes({ ...whole, more: 'x'.repeat(more) })).outcome
    expect(inside(length)).toBe(whole.K)
    expect(inside(length + 1)).toBe('bad_content')
  })

  it('is one of 64 at most', () => {
    expect(MAX_PAIRWISE_DEVICES).toBe(64)
  })
})

describe('a message to a device', () => {
  const contents: readonly KnownToDeviceContent[] = [
    { kind: 'key_request', room, envelope: id() },
    { kind: 'key_answer', room, envelope: id(), K: id() },
    { kind: 'session_reset', lost: [id()] },
    { kind: 'empty' },
    { kind: 'device_name', device: toBase64Url(random(12)), name: 'Desk' },
  ]
  const reads = (value: unknown) => toDeviceContentSchema.safeParse(value).success

  it.each(contents)('has all its members in their form: $kind', (content) => {
    const passing = content.kind === 'device_name' ? ['name short', 'name long'] : []
    expect(damageNotSeen(content as Json, reads)).toEqual(passing)
    expect(toDeviceContentSchema.parse({ ...content, more: 1 })).toEqual({ ...content, more: 1 })
  })

  it('names 8 lost sessions at most, and a device in 128 characters', () => {
    const lost = (length: number) =>
      reads({ kind: 'session_reset', lost: Array.from({ length }, id) })
    expect([0, 8, 9].map(lost)).toEqual([true, true, false])
    const device = toBase64Url(random(12))
    const name = (length: number) =>
      reads({ kind: 'device_name', device, name: 'n'.repeat(length) })
    expect([0, 128, 129].map(name)).toEqual([true, true, false])
  })

  function told(plaintext: Uint8Array) {
    const { alice, bob } = ends()
    const sealed = sealToDevice({
      crypto: saying(plaintext),
      random: alice.random,
      set: alice.set,
      local: alice.local,
      peer: asPeer(bob.local),
      content: { kind: 'empty' },
    })
    if (!sealed.ok) throw new Error(sealed.code)
    const { message } = sealed
    const { set, prekeys, local } = bob
    const opened = openToDevice({ crypto, set, prekeys, local, peer: asPeer(alice.local), message })
    return { message, outcome: opened.ok ? opened.content : opened.code }
  }

  it('travels with all members in their form', () => {
    const { message } = told(canonicalBytes({ kind: 'empty' }))
    const reads = (value: unknown) => toDeviceEnvelopeSchema.safeParse(value).success
    // A ciphertext of this length is one character from another that is whole base64url.
    expect(damageNotSeen(message as Json, reads)).toEqual(['message.ciphertext long'])
  })

  it('holds canonical JSON of an object with a kind', () => {
    expect(told(canonicalBytes({ kind: 'poke' })).outcome).toEqual({
      kind: 'unknown',
      content: { kind: 'poke' },
    })
    expect(told(canonicalBytes({ kind: 'empty', more: 1 })).outcome).toEqual({
      kind: 'empty',
      more: 1,
    })
    for (const bad of [
      '{"kind":7}',
      '{}',
      '[]',
      '{"kind": "empty"}',
      '{"kind":"key_request"}',
      'no',
    ])
      expect([bad, told(toUtf8(bad)).outcome]).toEqual([bad, 'bad_content'])
  })

  it('holds at most 32,768 bytes', () => {
    const frame = canonicalBytes({ kind: 'poke', x: '' }).length
    const of = (length: number) =>
      told(canonicalBytes({ kind: 'poke', x: 'x'.repeat(length - frame) })).outcome
    expect(of(32_768)).toMatchObject({ kind: 'unknown' })
    expect(of(32_769)).toBe('bad_content')
    const { alice, bob } = ends()
    const seal = (length: number) => {
      const content = { kind: 'empty', x: 'x'.repeat(length - '{"kind":"empty","x":""}'.length) }
      const sealed = sealToDevice({
        crypto,
        random: alice.random,
        set: alice.set,
        local: alice.local,
        peer: asPeer(bob.local),
        content: content as KnownToDeviceContent,
      })
      return sealed.ok ? 'ok' : sealed.code
    }
    expect(seal(32_768)).toBe('ok')
    expect(seal(32_769)).toBe('too_large')
  })

  it('needs a session, and content that JSON can say', () => {
    const { alice, bob } = ends()
    const seal = (from: End, content: object) =>
      sealToDevice({
        crypto,
        random: from.random,
        set: from.set,
        local: from.local,
        peer: asPeer(bob.local),
        content: content as KnownToDeviceContent,
      })
    expect(seal(new End('alone', 0), { kind: 'empty' })).toEqual({ ok: false, code: 'no_session' })
    expect(seal(alice, { kind: 'empty', more: 0.5 })).toEqual({ ok: false, code: 'bad_content' })
  })

  it('tells which handshake started its session, and later none', () => {
    const { alice, bob } = ends()
    const tell = () => {
      const sealed = sealToDevice({
        crypto,
        random: alice.random,
        set: alice.set,
        local: alice.local,
        peer: asPeer(bob.local),
        content: { kind: 'empty' },
      })
      if (!sealed.ok) throw new Error(sealed.code)
      alice.set = sealed.set
      const { set, prekeys, local } = bob
      const opened = openToDevice({
        crypto,
        set,
        prekeys,
        local,
        peer: asPeer(alice.local),
        message: sealed.message,
      })
      if (!opened.ok) throw new Error(opened.code)
      bob.set = opened.set
      bob.prekeys = opened.prekeys
      return opened.started
    }
    expect(tell()?.initiator_head).toBe(alice.local.head)
    expect(tell()).toBe(null)
  })

  it('is for member and device, and from member and device', () => {
    const { alice, bob } = ends()
    const { message } = told(canonicalBytes({ kind: 'empty' }))
    const { set, prekeys, local } = bob
    const open = (change: object) => {
      const opened = openToDevice({
        crypto,
        set,
        prekeys,
        local,
        peer: asPeer(alice.local),
        message: { ...message, ...change },
      })
      return opened.ok ? 'ok' : opened.code
    }
    const { sender, recipient } = message
    expect(open({})).toBe('ok')
    expect(open({ recipient: { ...recipient, member: sender.member } })).toBe('wrong_recipient')
    expect(open({ recipient: { ...recipient, device: sender.device } })).toBe('wrong_recipient')
    expect(open({ sender: { ...sender, member: recipient.member } })).toBe('wrong_sender')
    expect(open({ sender: { ...sender, device: recipient.device } })).toBe('wrong_sender')
  })
})

describe('a chain', () => {
  const sender = { member: id(), device: toBase64Url(random(12)) }
  const recipient = { member: id(), device: toBase64Url(random(12)) }
  const roster = id()
  const chain = startSendingChain({ crypto, random, now: 7, local: sender, room, roster })
  const shared = shareChain(chain, [recipient])
  if (shared === null) throw new Error('used up')

  it('has the bounds of the draft', () => {
    expect(MAX_CHAIN_AGE).toBe(7 * 24 * 60 * 60 * 1000)
    expect([MAX_RECEIVING_CHAINS, MAX_SKIPPED_CHAIN_KEYS]).toEqual([64, 1000])
  })

  it('has its id and its keys from what the draft derives', () => {
    const { nonce } = chain.origin
    const origin = canonicalBytes({ room, ...sender, roster, created: 7, nonce })
    expect(chain.id).toBe(toBase64Url(labelledHash(crypto, LABELS.chainDistribution, origin)))
    expect(shared.content).toEqual({
      kind: 'chain',
      chain: chain.id,
      room,
      roster,
      created: 7,
      nonce,
      start: 0,
      key: chain.key,
    })
    const key = Uint8Array.from(Buffer.from(chain.key ?? '', 'base64url'))
    const taken = takeChainKey(crypto, chain)
    expect(taken?.key).toEqual({
      contentKey: crypto.hmacSha256(key, labelled(LABELS.chainMessage)),
      chain: { id: chain.id, n: 0 },
    })
    expect(taken?.chain).toEqual({
      ...chain,
      next: 1,
      key: toBase64Url(crypto.hmacSha256(key, labelled(LABELS.chainKey))),
    })
  })

  it('is given with all members in their form', () => {
    const reads = (value: unknown) => chainDistributionSchema.safeParse(value).success
    expect(damageNotSeen(shared.content as Json, reads)).toEqual([])
    expect(chainDistributionSchema.parse({ ...shared.content, more: 1 })).toHaveProperty('more')
    const starts = [0, 99, 100].map((start) => reads({ ...shared.content, start }))
    expect(starts).toEqual([true, true, false])
  })

  it('is kept with all members in their form, on both sides', () => {
    expect(shared.chain.shared).toEqual([`${recipient.member}/${recipient.device}`])
    const stored = (value: unknown) => parseSendingChain(value) !== null
    expect(damageNotSeen(shared.chain as Json, stored)).toEqual([])
    expect(stored({ ...shared.chain, next: 100, key: null })).toBe(true)
    expect(stored({ ...shared.chain, next: 101 })).toBe(false)
    const [device] = shared.chain.shared
    for (const bad of [` ${device ?? ''}`, `${device ?? ''} `])
      expect(stored({ ...shared.chain, shared: [bad] })).toBe(false)

    const accepted = acceptChain(crypto, noReceivingChains(room, sender), shared.content)
    if (!accepted.ok) throw new Error(accepted.code)
    const [one] = accepted.chains.chains
    if (one === undefined) throw new Error('no chain')
    const skipping = { ...one, skipped: [{ n: 0, K: id() }] }
    const kept = { ...accepted.chains, chains: [skipping] }
    const reads = (value: unknown) => parseReceivingChains(value) !== null
    expect(damageNotSeen(kept as Json, reads)).toEqual([])
    const of = (change: object) => reads({ ...kept, chains: [{ ...skipping, ...change }] })
    expect(of({ key: null, next: 100 })).toBe(true)
    for (const change of [{ next: 101 }, { start: 101 }, { skipped: [{ n: 101, K: id() }] }])
      expect(of(change)).toBe(false)
    const skipped = (length: number) =>
      of({ skipped: Array.from({ length }, (_, n) => ({ n: n % 100, K: id() })) })
    expect([skipped(100), skipped(101)]).toEqual([true, false])
    const chains = (length: number) =>
      reads({ ...kept, chains: Array.from({ length }, () => skipping) })
    expect([chains(64), chains(65)]).toEqual([true, false])
  })

  it('whose last key was used knows none that comes after', () => {
    const last = { ...shared.content, start: 99 }
    const accepted = acceptChain(crypto, noReceivingChains(room, sender), last)
    if (!accepted.ok) throw new Error(accepted.code)
    const header = {
      v: 1,
      suite: 1,
      room,
      ...sender,
      seq: 0,
      prev_own: null,
      type: 'e.message',
      ts: 7,
      roster,
      transport: 'chain',
      chain: { id: chain.id, n: 99 },
      commit: id(),
      body_hash: id(),
    }
    // A header that commits to whatever key the chain gives: only then is the key taken.
    const agreeing = { ...crypto, equal: () => true }
    const taken = takeContentKey(agreeing, accepted.chains, header)
    if (!taken.ok) throw new Error(taken.code)
    expect(taken.chains.chains[0]).toMatchObject({ next: 100, key: null, skipped: [] })
    expect(takeContentKey(agreeing, taken.chains, header)).toEqual({
      ok: false,
      code: 'already_used',
    })
  })
})
