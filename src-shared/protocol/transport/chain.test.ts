import { describe, expect, it } from 'vitest'
import type { Crypto } from '../crypto.ts'
import { fromBase64Url, toBase64Url } from '../encoding/index.ts'
import { openEnvelope, rosterHash, sealEnvelope, verifyEnvelope } from '../envelope/index.ts'
import type { EnvelopeHeader, SealedEnvelope } from '../envelope/index.ts'
import {
  asPeer,
  crypto,
  makeDevice,
  seededRandom,
  throughStorage,
} from '../prekeys/testing/devices.ts'
import { End } from '../ratchet/testing/two-devices.ts'
import {
  acceptChain,
  chainDistributionSchema,
  MAX_CHAIN_AGE,
  MAX_RECEIVING_CHAINS,
  MAX_SKIPPED_CHAIN_KEYS,
  mustRotate,
  noReceivingChains,
  openToDevice,
  parseReceivingChains,
  parseSendingChain,
  sealToDevice,
  shareChain,
  startSendingChain,
  takeChainKey,
  takeContentKey,
  withoutChain,
} from './index.ts'
import type { ChainDistribution, ReceivingChains, SendingChain } from './index.ts'

const random = seededRandom('chain')
const room = `!${toBase64Url(random(32))}:example.org`
const otherRoom = `!${toBase64Url(random(32))}:example.org`
const alice = makeDevice('alice')
const bob = makeDevice('bob')
const carol = makeDevice('carol')
const dave = makeDevice('dave')
const roster = rosterHash(crypto, [alice, bob])
const START = 1_000_000

function newChain(now = START): SendingChain {
  return startSendingChain({ crypto, random, now, local: alice, room, roster })
}

function given(
  chain: SendingChain,
  to = [bob],
): { chain: SendingChain; content: ChainDistribution } {
  const shared = shareChain(chain, to)
  if (shared === null) throw new Error('used up')
  return shared
}

/** Bob's chains after he has taken `content`. */
function accepted(content: ChainDistribution, chains = noReceivingChains(room, asAlice())) {
  const result = acceptChain(crypto, chains, content)
  if (!result.ok) throw new Error(result.code)
  return result.chains
}

function asAlice() {
  return asPeer(alice)
}

function seal(
  chain: SendingChain,
  text = 'hello',
): { chain: SendingChain; sealed: SealedEnvelope } {
  const taken = takeChainKey(crypto, chain)
  if (taken === null) throw new Error('used up')
  const result = sealEnvelope({
    crypto,
    random,
    local: alice,
    draft: { room, seq: chain.next, prev_own: null, type: 'e.message', ts: START, roster },
    content: { v: 1, kind: 'text', text },
    key: taken.key,
  })
  if (!result.ok) throw new Error(result.code)
  return { chain: taken.chain, sealed: result.sealed }
}

function sealMany(chain: SendingChain, count: number) {
  const sealed: SealedEnvelope[] = []
  for (let n = 0; n < count; n++) {
    const next = seal(chain, `message ${n}`)
    chain = next.chain
    sealed.push(next.sealed)
  }
  return { chain, sealed }
}

/** The text, or the code. */
function read(
  chains: ReceivingChains,
  { header, body }: SealedEnvelope,
): [ReceivingChains, string] {
  const taken = takeContentKey(crypto, chains, header)
  if (!taken.ok) return [chains, taken.code]
  const opened = openEnvelope({ crypto, header, body, contentKey: taken.contentKey })
  return [taken.chains, opened.ok ? String(opened.content.text) : opened.code]
}

const codeOf = (chains: ReceivingChains, header: EnvelopeHeader): string => {
  const taken = takeContentKey(crypto, chains, header)
  return taken.ok ? 'ok' : taken.code
}

describe('a header that was verified', () => {
  it('is derived from once for taking and opening, and still refuses every other key', () => {
    const { chain, content } = given(newChain())
    const { sealed } = seal(chain)
    let derived = 0
    const counting: Crypto = {
      ...crypto,
      hkdfSha256: (...parts) => {
        derived++
        return crypto.hkdfSha256(...parts)
      },
    }
    const verified = verifyEnvelope(counting, sealed.header, sealed.sig, alice.ed25519)
    if (!verified.ok) throw new Error(verified.code)
    const taken = takeContentKey(counting, accepted(content), verified.known)
    if (!taken.ok) throw new Error(taken.code)
    const { contentKey } = taken
    const opening = { crypto: counting, header: verified.known, body: sealed.body }
    expect(openEnvelope({ ...opening, contentKey }).ok).toBe(true)
    // The key and the commitment, once each.
    expect(derived).toBe(2)
    const other = contentKey.map((byte, at) => (at === 31 ? byte ^ 1 : byte))
    for (const wrong of [other, contentKey.subarray(1)])
      expect(openEnvelope({ ...opening, contentKey: wrong })).toEqual({
        ok: false,
        code: 'wrong_commitment',
      })
    expect(openEnvelope({ ...opening, contentKey }).ok).toBe(true)
  })
})

describe('a sender chain', () => {
  it('reaches a device through its session, and from then on needs no wraps', () => {
    const [sender, recipient] = [new End('alice', 1), new End('bob', 1)]
    sender.initiate(recipient)
    const { chain, content } = given(newChain())
    const message = sealToDevice({
      crypto,
      random: sender.random,
      set: sender.set,
      local: sender.local,
      peer: asPeer(recipient.local),
      content,
    })
    if (!message.ok) throw new Error(message.code)
    const { set, prekeys, local } = recipient
    const opened = openToDevice({
      crypto,
      set,
      prekeys,
      local,
      peer: asPeer(sender.local),
      message: message.message,
    })
    if (!opened.ok || opened.content.kind !== 'chain') throw new Error('not a chain')
    const chains = accepted(opened.content)
    expect(read(chains, seal(chain, 'through the chain').sealed)[1]).toBe('through the chain')
  })

  it('names its place in the signed header', () => {
    const { chain, sealed } = sealMany(newChain(), 3)
    expect(sealed.map(({ header }) => header.chain)).toEqual([
      { id: chain.id, n: 0 },
      { id: chain.id, n: 1 },
      { id: chain.id, n: 2 },
    ])
    expect(sealed.map(({ header }) => header.transport)).toEqual(['chain', 'chain', 'chain'])
  })

  it('gives every message another key, none of which leads to an earlier one', () => {
    const { chain, sealed } = sealMany(newChain(), 100)
    expect(new Set(sealed.map(({ contentKey }) => toBase64Url(contentKey))).size).toBe(100)
    expect(chain).toMatchObject({ next: 100, key: null })
    expect(takeChainKey(crypto, chain)).toBe(null)
    expect(shareChain(chain, [])).toBe(null)
  })

  it('survives being stored on both sides', () => {
    const { chain, content } = given(newChain())
    const stored = parseSendingChain(throughStorage(chain))
    expect(stored).toEqual(chain)
    const { sealed } = sealMany(chain, 3)
    const [chains] = read(accepted(content), sealed[2] as SealedEnvelope)
    const again = parseReceivingChains(throughStorage(chains))
    expect(again).toEqual(chains)
    expect(read(again as ReceivingChains, sealed[1] as SealedEnvelope)[1]).toBe('message 1')
    expect(parseSendingChain({})).toBe(null)
    expect(parseReceivingChains({})).toBe(null)
  })
})

describe('rotation', () => {
  const chain = given(newChain(), [bob, carol]).chain
  const recipients = [bob, carol]

  it('is not asked for while all who have the chain are still recipients', () => {
    expect(mustRotate(chain, { now: START, recipients })).toBe(null)
    expect(mustRotate(chain, { now: START, recipients: [...recipients, dave] })).toBe(null)
    expect(withoutChain(chain, [...recipients, dave])).toEqual([dave])
    expect(withoutChain(chain, recipients)).toEqual([])
  })

  it('comes with every recipient that leaves', () => {
    expect(mustRotate(chain, { now: START, recipients: [bob] })).toBe('recipient_left')
    const anotherDevice = { ...carol, device: dave.device }
    expect(mustRotate(chain, { now: START, recipients: [bob, anotherDevice] })).toBe(
      'recipient_left',
    )
    const anotherMember = { ...carol, member: dave.member }
    expect(mustRotate(chain, { now: START, recipients: [bob, anotherMember] })).toBe(
      'recipient_left',
    )
  })

  it('comes after a week, and where the clock has gone back', () => {
    const at = (age: number) => mustRotate(chain, { now: START + age, recipients })
    expect(at(MAX_CHAIN_AGE - 1)).toBe(null)
    expect(at(MAX_CHAIN_AGE)).toBe('too_old')
    expect(at(-1)).toBe('too_old')
  })

  it('comes after 100 messages', () => {
    const almost = sealMany(chain, 99).chain
    expect(mustRotate(almost, { now: START, recipients })).toBe(null)
    expect(mustRotate(seal(almost).chain, { now: START, recipients })).toBe('used_up')
  })

  it('makes a chain of which the old one tells nothing', () => {
    const [one, two] = [newChain(), newChain()]
    expect(one.id).not.toBe(two.id)
    expect(one.key).not.toBe(two.key)
  })
})

describe('who has the chain', () => {
  it('is counted once, however often it is given', () => {
    const once = given(newChain(), [carol, bob])
    const twice = given(once.chain, [bob])
    expect(twice.chain).toEqual(once.chain)
    expect(twice.content).toEqual(once.content)
    const chain = newChain()
    expect(given(chain, [bob, carol]).chain).toEqual(given(chain, [carol, bob]).chain)
    expect(chainDistributionSchema.safeParse(once.content).success).toBe(true)
  })

  it('reads from the message it was given the chain for', () => {
    const before = sealMany(newChain(), 5)
    const { chain, content } = given(before.chain, [carol])
    expect(content.start).toBe(5)
    const chains = accepted(content)
    for (const sealed of before.sealed) expect(read(chains, sealed)[1]).toBe('before_start')
    expect(read(chains, seal(chain, 'now').sealed)[1]).toBe('now')
  })

  it('learns no key of an earlier message from what it was given', () => {
    const before = sealMany(newChain(), 3)
    const { content } = given(before.chain, [carol])
    // One that claims to start earlier holds a key that opens nothing there.
    const lying = accepted({ ...content, start: 2 })
    expect(codeOf(lying, (before.sealed[2] as SealedEnvelope).header)).toBe('wrong_commitment')
  })
})

describe('taking keys', () => {
  const { chain, content } = given(newChain())
  const { sealed } = sealMany(chain, 100)
  const header = (n: number): EnvelopeHeader => (sealed[n] as SealedEnvelope).header

  it('works in any order, once each', () => {
    let chains = accepted(content)
    const order = [99, 3, 0, 98, 50, 1, 2]
    for (const n of order) {
      const [next, text] = read(chains, sealed[n] as SealedEnvelope)
      expect(text).toBe(`message ${n}`)
      chains = next
    }
    for (const n of order) expect(codeOf(chains, header(n))).toBe('already_used')
    expect(codeOf(chains, header(97))).toBe('ok')
  })

  it('is refused where the chain was not given', () => {
    expect(codeOf(noReceivingChains(room, asAlice()), header(0))).toBe('unknown_chain')
  })

  it('is refused for another room, member or device', () => {
    const chains = accepted(content)
    expect(codeOf(chains, { ...header(0), room: otherRoom })).toBe('wrong_sender')
    expect(codeOf(chains, { ...header(0), member: bob.member })).toBe('wrong_sender')
    expect(codeOf(chains, { ...header(0), device: bob.device })).toBe('wrong_sender')
  })

  it('is refused for what was not sealed with a chain', () => {
    const { chain: _, ...pairwise } = { ...header(0), transport: 'pairwise' as const }
    expect(codeOf(accepted(content), pairwise)).toBe('wrong_transport')
    expect(codeOf(accepted(content), { ...pairwise, transport: 'chain' })).toBe('wrong_transport')
    const far = { ...header(0), chain: { id: chain.id, n: 100 } }
    expect(codeOf(accepted(content), far)).toBe('wrong_transport')
  })

  it('uses nothing up for a header that was changed', () => {
    const chains = accepted(content)
    const changed = { ...header(1), chain: { id: chain.id, n: 0 } }
    expect(codeOf(chains, changed)).toBe('wrong_commitment')
    expect(codeOf(chains, { ...header(0), ts: 7 })).toBe('wrong_commitment')
    expect(codeOf(chains, header(0))).toBe('ok')
  })

  it('keeps a bounded number of keys for messages that do not come', () => {
    let chains = noReceivingChains(room, asAlice())
    const lasts: SealedEnvelope[] = []
    const firsts: SealedEnvelope[] = []
    for (let round = 0; round < 12; round++) {
      const one = given(newChain())
      chains = accepted(one.content, chains)
      const first = seal(one.chain)
      let { chain } = first
      while (chain.next < 99) chain = takeChainKey(crypto, chain)?.chain ?? chain
      firsts.push(first.sealed)
      lasts.push(seal(chain).sealed)
    }
    for (const last of lasts) chains = read(chains, last)[0]
    const kept = chains.chains.reduce((sum, { skipped }) => sum + skipped.length, 0)
    expect(kept).toBe(MAX_SKIPPED_CHAIN_KEYS)
    const codes = firsts.map((first) => codeOf(chains, first.header))
    expect(codes).toEqual([
      ...Array<string>(2).fill('already_used'),
      ...Array<string>(10).fill('ok'),
    ])
    expect(parseReceivingChains(chains)).toEqual(chains)
  })
})

describe('a distribution', () => {
  const { content } = given(newChain())
  const attempt = (
    change: Partial<ChainDistribution>,
    chains = noReceivingChains(room, asAlice()),
  ) => {
    const result = acceptChain(crypto, chains, { ...content, ...change })
    return result.ok ? 'ok' : result.code
  }

  it('is refused as from another device, or for another room', () => {
    expect(attempt({})).toBe('ok')
    expect(attempt({}, noReceivingChains(room, asPeer(bob)))).toBe('wrong_chain')
    const { member } = asAlice()
    expect(attempt({}, noReceivingChains(room, { member, device: bob.device }))).toBe('wrong_chain')
    expect(attempt({}, noReceivingChains(otherRoom, asAlice()))).toBe('wrong_room')
    expect(attempt({ room: otherRoom }, noReceivingChains(otherRoom, asAlice()))).toBe(
      'wrong_chain',
    )
  })

  it.each([
    ['roster', rosterHash(crypto, [alice])],
    ['created', START + 1],
    ['nonce', toBase64Url(new Uint8Array(32))],
    ['chain', toBase64Url(new Uint8Array(32))],
  ])('is refused with another %s than its id was made of', (field, value) => {
    expect(attempt({ [field]: value })).toBe('wrong_chain')
  })

  it('is refused a second time, whatever it starts with', () => {
    const chains = accepted(content)
    expect(attempt({}, chains)).toBe('known_chain')
    const key = toBase64Url(fromBase64Url(content.key).map((byte) => byte ^ 1))
    expect(attempt({ key, start: 50 }, chains)).toBe('known_chain')
  })

  it.each([
    ['a start beyond the last message', { start: 100 }],
    ['a negative start', { start: -1 }],
    ['a short key', { key: 'AAAA' }],
    ['no room', { room: 'room' }],
    ['a time that is none', { created: -1 }],
    ['an id that is none', { chain: '' }],
  ])('does not pass its schema with %s', (_, change) => {
    expect(chainDistributionSchema.safeParse({ ...content, ...change }).success).toBe(false)
  })

  it('pushes out the oldest of too many chains', () => {
    let chains = noReceivingChains(room, asAlice())
    const contents = Array.from(
      { length: MAX_RECEIVING_CHAINS + 1 },
      () => given(newChain()).content,
    )
    for (const each of contents) chains = accepted(each, chains)
    expect(chains.chains.map(({ id }) => id)).toEqual(contents.slice(1).map((each) => each.chain))
  })
})
