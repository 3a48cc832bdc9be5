import { describe, expect, it } from 'vitest'
import { canonicalBytes, concatBytes, labelled, LABELS, toBase64Url } from '../encoding/index.ts'
import type { Json } from '../encoding/index.ts'
import { damageNotSeen } from '../testing/damaged.ts'
import { crypto } from '../prekeys/testing/devices.ts'
import { messageAd } from './header.ts'
import { parseSessionSet, ratchetMessageSchema } from './index.ts'
import type { RatchetHeader, RatchetMessage } from './index.ts'
import { openWithMessageKey, sealWithMessageKey } from './message-key.ts'
import { stepRootKey } from './root-key.ts'
import { advanceChain, startChain, stepChain } from './chain-key.ts'
import { twoEnds } from './testing/two-devices.ts'

const { alice, bob } = twoEnds()
alice.initiate(bob)
const { message } = alice.say('hello')
const reads = (value: unknown): boolean => ratchetMessageSchema.safeParse(value).success
const withHeader = (change: Partial<RatchetHeader>): RatchetMessage => ({
  ...message,
  header: { ...message.header, ...change },
})

describe('the form of a message', () => {
  it('holds member by member', () => {
    expect(damageNotSeen(message as Json, reads)).toEqual([])
    expect(reads(withHeader({ handshake: null }))).toBe(true)
  })

  it('has no member of which the draft knows nothing', () => {
    expect(reads(withHeader({ more: 1 } as object))).toBe(false)
    expect(reads({ ...message, more: 1 })).toBe(false)
  })

  it('numbers messages below 2^31, of which a whole chain may have gone before', () => {
    expect([2 ** 31 - 1, 2 ** 31].map((n) => reads(withHeader({ n })))).toEqual([true, false])
    expect([2 ** 31, 2 ** 31 + 1].map((pn) => reads(withHeader({ pn })))).toEqual([true, false])
  })

  it('has a ciphertext of 16 bytes at least and 65,536 characters at most', () => {
    const ofLength = (length: number) => reads({ ...message, ciphertext: 'A'.repeat(length) })
    expect([20, 22, 65_536, 65_538].map(ofLength)).toEqual([false, true, true, false])
  })
})

describe('what the draft derives', () => {
  const key = new Uint8Array(32).fill(1)
  const other = new Uint8Array(32).fill(2)

  it('makes root and chain key from root key and agreement', () => {
    const output = crypto.hkdfSha256(other, key, labelled(LABELS.ratchetRoot), 64)
    expect(stepRootKey(crypto, key, other)).toEqual({
      root: output.slice(0, 32),
      chain: output.slice(32),
    })
  })

  it('makes message key and next chain key from a chain key, however far it steps', () => {
    const label = (byte: number) => labelled(LABELS.ratchetChain, Uint8Array.of(byte))
    const next = crypto.hmacSha256(key, label(2))
    expect(stepChain(crypto, startChain(key))).toEqual({
      chain: { key: toBase64Url(next), index: 1 },
      messageKey: crypto.hmacSha256(key, label(1)),
    })
    const afterNext = crypto.hmacSha256(next, label(2))
    expect(advanceChain(crypto, startChain(key), 2, 1)).toEqual({
      chain: { key: toBase64Url(afterNext), index: 2 },
      skipped: [{ n: 1, key: toBase64Url(crypto.hmacSha256(next, label(1))) }],
    })
  })

  it('makes key and nonce of the cipher from a message key', () => {
    const output = crypto.hkdfSha256(key, new Uint8Array(32), labelled(LABELS.ratchetMessage), 44)
    const [cipherKey, nonce] = [output.slice(0, 32), output.slice(32)]
    const sealed = crypto.chacha20Poly1305Seal(cipherKey, nonce, other, key)
    expect(sealWithMessageKey(crypto, key, other, key)).toEqual(sealed)
    expect(openWithMessageKey(crypto, key, sealed, key)).toEqual(other)
  })

  it('binds session, header with its length, and context', () => {
    const { header } = message
    const bytes = canonicalBytes(header)
    const length = Uint8Array.of(0, 0, bytes.length >> 8, bytes.length & 255)
    expect(messageAd(key, header, other)).toEqual(
      labelled(LABELS.ratchetHeader, concatBytes(key, length, bytes, other)),
    )
  })
})

describe('the stored set', () => {
  it('holds member by member', () => {
    const ends = twoEnds(4, true)
    const skipped = ends.alice.say()
    ends.bob.hear(ends.alice, ends.alice.say())
    expect(damageNotSeen(ends.bob.set as Json, (value) => parseSessionSet(value) !== null)).toEqual(
      [],
    )
    expect(ends.bob.hear(ends.alice, skipped)).toBe(skipped.text)
    ends.alice.initiate(ends.bob)
    const waiting = ends.alice.set as Json
    expect(damageNotSeen(waiting, (value) => parseSessionSet(value) !== null)).toEqual([])
  })
})
