import { describe, expect, it } from 'vitest'
import { canonicalBytes, labelledHash, LABELS, toBase64Url } from '../encoding/index.ts'
import type { Json } from '../encoding/index.ts'
import { damageNotSeen } from '../testing/damaged.ts'
import { crypto, makeDevice, seededRandom, throughStorage } from '../prekeys/testing/devices.ts'
import {
  answerPairing,
  approverPairingSchema,
  completePairing,
  pairingAnswerSchema,
  pairingCode,
  pairingRevealSchema,
  pairingStartSchema,
  pendingPairingSchema,
  revealPairing,
  startPairing,
} from './index.ts'
import type { ApproverPairing, PairingAnswer, PairingReveal, PendingPairing } from './index.ts'

function keysOf(name: string) {
  const { device, ed25519, x25519 } = makeDevice(name)
  return {
    id: device,
    ed25519: toBase64Url(ed25519),
    x25519: toBase64Url(x25519),
    min_suite: 1,
  }
}

const account = makeDevice('approver')
const own = { account: account.member, head: account.head, approver: account.device }

function begin(seed = '') {
  const pendingRandom = seededRandom(`pending${seed}`)
  const { state: pending, start } = startPairing({
    crypto,
    random: pendingRandom,
    device: keysOf('pending'),
  })
  const random = seededRandom(`approver${seed}`)
  const { state: approver, answer } = answerPairing({ random, start, ...own })
  return { pending, start, approver, answer }
}

function reveal(state: PendingPairing, answer: PairingAnswer) {
  const revealed = revealPairing({ crypto, state, answer })
  if (!revealed.ok) throw new Error(revealed.code)
  return revealed
}

function complete(state: ApproverPairing, said: PairingReveal) {
  const completed = completePairing({ crypto, state, reveal: said })
  if (!completed.ok) throw new Error(completed.code)
  return completed
}

it('shows the same six digits on both sides, and hands the approver the keys', () => {
  for (let attempt = 0; attempt < 20; attempt++) {
    const { pending, approver, answer } = begin(String(attempt))
    const revealed = reveal(pending, answer)
    const completed = complete(approver, revealed.reveal)
    expect(completed.code).toBe(revealed.code)
    expect(revealed.code).toMatch(/^[0-9]{6}$/)
    expect(completed.device).toEqual(keysOf('pending'))
  }
})

it('sends messages and keeps states that pass their schemas and survive storage', () => {
  const { pending, start, approver, answer } = begin()
  const revealed = reveal(pending, answer)
  const completed = complete(approver, revealed.reveal)
  expect(pairingStartSchema.parse(throughStorage(start))).toEqual(start)
  expect(pairingAnswerSchema.parse(throughStorage(answer))).toEqual(answer)
  expect(pairingRevealSchema.parse(throughStorage(revealed.reveal))).toEqual(revealed.reveal)
  expect(pendingPairingSchema.parse(throughStorage(revealed.state))).toEqual(revealed.state)
  expect(approverPairingSchema.parse(throughStorage(completed.state))).toEqual(completed.state)
})

it('sends messages and keeps states with all their members in their form', () => {
  const { pending, start, approver, answer } = begin()
  const revealed = reveal(pending, answer)
  const completed = complete(approver, revealed.reveal)
  for (const [schema, value] of [
    [pairingStartSchema, start],
    [pairingAnswerSchema, answer],
    [pairingRevealSchema, revealed.reveal],
    [pendingPairingSchema, revealed.state],
    [approverPairingSchema, completed.state],
  ] as const)
    expect(damageNotSeen(value as Json, (damaged) => schema.safeParse(damaged).success)).toEqual([])
  expect(pendingPairingSchema.safeParse(pending).success).toBe(true)
  expect(approverPairingSchema.safeParse(approver).success).toBe(true)
})

it('derives commitment and code as the draft has it', () => {
  const { pending, start, answer } = begin()
  const { reveal: said, code } = reveal(pending, answer)
  const hash = (label: typeof LABELS.sas | typeof LABELS.sasCommit, of: Json) =>
    labelledHash(crypto, label, canonicalBytes(of))
  const { device } = start
  expect(start.commitment).toBe(toBase64Url(hash(LABELS.sasCommit, { nonce: said.nonce, device })))
  const digest = hash(LABELS.sas, { start, answer, reveal: said })
  const number = digest.subarray(0, 8).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  expect(code).toBe(String(number % 1_000_000n).padStart(6, '0'))
  expect([start.v, answer.v, said.v]).toEqual([1, 1, 1])
  expect(answer).toEqual({
    v: 1,
    commitment: start.commitment,
    nonce: answer.nonce,
    account: own.account,
    head: own.head,
    approver: own.approver,
  })
})

it('fills the code with zeros up to six digits', () => {
  const { start, answer } = begin()
  const said = { start, answer, reveal: { v: 1, nonce: answer.nonce } } as const
  const ending = (last: number) => ({
    ...crypto,
    sha256: () => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, last, ...new Uint8Array(24).fill(9)),
  })
  expect(pairingCode(ending(0), said)).toBe('000000')
  expect(pairingCode(ending(42), said)).toBe('000042')
})

describe('a dishonest homeserver', () => {
  it('cannot put its own device in place: the codes differ', () => {
    const { pending, answer } = begin()
    const evil = startPairing({ crypto, random: seededRandom('evil'), device: keysOf('evil') })
    const random = seededRandom('approver')
    const fooled = answerPairing({ random, start: evil.start, ...own })
    const toPending = { ...fooled.answer, commitment: answer.commitment }
    const shown = reveal(pending, toPending).code
    const evilReveal = reveal(evil.state, fooled.answer).reveal
    expect(complete(fooled.state, evilReveal).code).not.toBe(shown)
  })

  it('cannot exchange keys under a commitment', () => {
    const { pending, approver, answer } = begin()
    const device = { ...approver.start.device, x25519: keysOf('evil').x25519 }
    const fooled = { ...approver, start: { ...approver.start, device } }
    const { reveal: said } = reveal(pending, answer)
    expect(completePairing({ crypto, state: fooled, reveal: said })).toEqual({
      ok: false,
      code: 'wrong_reveal',
    })
  })

  it('cannot show the pending device another account or manifest head', () => {
    const { pending, approver, answer } = begin()
    const honest = complete(approver, reveal(pending, answer).reveal).code
    const other = makeDevice('other')
    expect(reveal(pending, { ...answer, account: other.member }).code).not.toBe(honest)
    expect(reveal(pending, { ...answer, head: other.head }).code).not.toBe(honest)
  })

  it('cannot try nonces until the codes match', () => {
    const { pending, approver, answer } = begin()
    const revealed = reveal(pending, answer)
    const nonce = toBase64Url(seededRandom('again')(32))
    expect(revealPairing({ crypto, state: revealed.state, answer: { ...answer, nonce } })).toEqual({
      ok: false,
      code: 'already_answered',
    })
    const other = makeDevice('other')
    for (const change of [
      { account: other.member },
      { head: other.head },
      { approver: other.device },
    ])
      expect(
        revealPairing({ crypto, state: revealed.state, answer: { ...answer, ...change } }),
      ).toEqual({ ok: false, code: 'already_answered' })
    expect(reveal(revealed.state, answer).code).toBe(revealed.code)
    expect(reveal(revealed.state, answer)).toEqual(revealed)
    expect(completePairing({ crypto, state: approver, reveal: { v: 1, nonce } })).toEqual({
      ok: false,
      code: 'wrong_reveal',
    })
    const { state } = complete(approver, revealed.reveal)
    expect(completePairing({ crypto, state, reveal: { v: 1, nonce } })).toEqual({
      ok: false,
      code: 'already_revealed',
    })
    expect(complete(state, revealed.reveal).code).toBe(revealed.code)
  })

  it('cannot pass on the answer to another attempt', () => {
    const { answer } = begin('one')
    const { pending } = begin('two')
    expect(revealPairing({ crypto, state: pending, answer })).toEqual({
      ok: false,
      code: 'wrong_commitment',
    })
  })
})
