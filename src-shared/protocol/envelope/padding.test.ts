import { describe, expect, it } from 'vitest'
import { MIN_PADDED_SIZE, paddedSize } from './padding.ts'

/** Padding §13.1 word for word, in integers of any size. */
function asWritten(size: bigint): bigint {
  if (size <= 256n) return 256n
  const exponent = log2(size)
  const unit = 2n ** (exponent - (log2(exponent) + 1n))
  return ((size + unit - 1n) / unit) * unit
}

const log2 = (value: bigint): bigint => BigInt(value.toString(2).length - 1)

describe('the padded size', () => {
  it('is the one that is written, at every power of two and beside it', () => {
    const sizes = Array.from({ length: 53 }, (_, k) => [-1, 0, 1].map((by) => 2 ** k + by)).flat()
    expect(sizes.filter((size) => size > 0 && size <= 2 ** 52).length).toBeGreaterThan(150)
    for (const size of sizes.filter((one) => one <= 2 ** 52))
      expect([size, paddedSize(size)]).toEqual([size, Number(asWritten(BigInt(size)))])
  })

  it('is the one that is written, at every size that an envelope can have', () => {
    const differing = Array.from({ length: 2 ** 16 + 1 }, (_, size) => size).filter(
      (size) => BigInt(paddedSize(size)) !== asWritten(BigInt(size)),
    )
    expect(differing).toEqual([])
  })

  it('of a power of two is itself, and one byte more costs one unit', () => {
    for (let k = 9; k <= 40; k++) {
      const unit = 2 ** (k - (k < 16 ? 4 : k < 32 ? 5 : 6))
      expect(paddedSize(2 ** k)).toBe(2 ** k)
      expect(paddedSize(2 ** k + 1)).toBe(2 ** k + unit)
      expect(paddedSize(2 ** k - 1)).toBe(2 ** k)
    }
    expect(paddedSize(MIN_PADDED_SIZE)).toBe(256)
  })
})
