import { describe, expect, it } from 'vitest'
import { toBase64Url } from '../encoding/index.ts'
import { damageNotSeen } from '../testing/damaged.ts'
import { handshakeHeaderSchema } from './index.ts'
import type { HandshakeHeader } from './index.ts'

const bytes = (length: number): string => toBase64Url(new Uint8Array(length).fill(7))
const header: HandshakeHeader = {
  suite: 2,
  initiator_head: bytes(32),
  responder_head: bytes(32),
  ephemeral: bytes(32),
  signed: bytes(12),
  one_time: bytes(12),
  kem: bytes(12),
  kem_ciphertext: bytes(1088),
}
const reads = (value: unknown): boolean => handshakeHeaderSchema.safeParse(value).success

describe('a handshake header', () => {
  it('has all its members in their form', () => {
    expect(damageNotSeen(header, reads)).toEqual([])
  })

  it('may lack the one-time prekey and what the hybrid suite adds', () => {
    expect(reads({ ...header, one_time: null, kem: null, kem_ciphertext: null })).toBe(true)
  })

  it('has no member of which the draft knows nothing', () => {
    expect(reads({ ...header, more: 1 })).toBe(false)
  })

  it('names its suite in one byte', () => {
    expect([0, 1, 255, 256].map((suite) => reads({ ...header, suite }))).toEqual([
      false,
      true,
      true,
      false,
    ])
  })
})
