import { expect, it } from 'vitest'
import { canonicalBytes, LABELS, signLabelled, toBase64Url } from '../encoding/index.ts'
import { crypto, makeDevice, seededRandom } from '../prekeys/testing/devices.ts'
import { makeReceipt, receiptSchema, verifyReceipt } from './index.ts'

const random = seededRandom('receipt')
const local = makeDevice('bob')
const said = {
  room: `!${toBase64Url(random(32))}:example.org`,
  envelope: toBase64Url(random(32)),
  kind: 'delivered',
  ts: 1_700_000_000_000,
} as const
const receipt = makeReceipt(crypto, local, said)

it('verifies against the device that made it', () => {
  expect(receiptSchema.parse(receipt)).toEqual(receipt)
  expect(verifyReceipt(crypto, receipt, local.ed25519)).toBe(true)
})

it.each([
  ['room', { room: `!${toBase64Url(random(32))}:example.org` }],
  ['envelope', { envelope: toBase64Url(random(32)) }],
  ['kind', { kind: 'read' as const }],
  ['member', { member: toBase64Url(random(32)) }],
  ['device', { device: toBase64Url(random(12)) }],
  ['time', { ts: 1 }],
  ['signature', { sig: toBase64Url(random(64)) }],
])('is refused with another %s', (_, change) => {
  expect(verifyReceipt(crypto, { ...receipt, ...change }, local.ed25519)).toBe(false)
})

it('is refused from another device', () => {
  expect(verifyReceipt(crypto, receipt, makeDevice('mallory').ed25519)).toBe(false)
})

it('covers members that are not known here', () => {
  const { sig: _, ...unsigned } = receipt
  const bytes = canonicalBytes({ ...unsigned, thread: 'x' })
  const sig = toBase64Url(signLabelled(crypto, local.ed25519Secret, LABELS.receipt, bytes))
  const arrived = receiptSchema.parse({ ...unsigned, thread: 'x', sig })
  expect(arrived).toEqual({ ...unsigned, thread: 'x', sig })
  expect(verifyReceipt(crypto, arrived, local.ed25519)).toBe(true)
  for (const changed of [
    { ...arrived, thread: 'y' },
    { ...receipt, thread: 'x' },
  ])
    expect(verifyReceipt(crypto, receiptSchema.parse(changed), local.ed25519)).toBe(false)
  const { thread: __, ...stripped } = { thread: '', ...arrived }
  expect(verifyReceipt(crypto, stripped, local.ed25519)).toBe(false)
})

it('is refused, not thrown at, where it holds what JSON cannot say', () => {
  const odd = receiptSchema.parse({ ...receipt, share: 0.5 })
  expect(verifyReceipt(crypto, odd, local.ed25519)).toBe(false)
})

it('says delivered or read, and nothing else', () => {
  for (const kind of ['delivered', 'read'] as const) {
    const made = makeReceipt(crypto, local, { ...said, kind })
    expect(receiptSchema.parse(made)).toEqual(made)
    expect(verifyReceipt(crypto, made, local.ed25519)).toBe(true)
  }
  for (const kind of ['', 'seen', 'READ'])
    expect(receiptSchema.safeParse({ ...receipt, kind }).success).toBe(false)
})
