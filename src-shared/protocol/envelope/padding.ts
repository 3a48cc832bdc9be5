/**
 * Padmé padding (Padding §13.1; Nikitin et al., PETS 2019): a length shows only its magnitude and its first few
 * bits, for at most 7 % more bytes above the floor. In integers throughout: floating point must not decide at powers of two.
 */

/** Everything shorter looks alike; Padmé alone hides little in short messages. */
export const MIN_PADDED_SIZE = 256

/** The size in bytes to which content of `size` bytes is padded; never less than `size`, exact up to 2^52. */
export function paddedSize(size: number): number {
  if (size <= MIN_PADDED_SIZE) return MIN_PADDED_SIZE
  const exponent = floorLog2(size)
  const significant = floorLog2(exponent) + 1
  const unit = 2 ** (exponent - significant)
  const beyond = size % unit
  return beyond === 0 ? size : size - beyond + unit
}

/** Of a positive safe integer. A division by 2^32 is exact, and so are both halves. */
function floorLog2(value: number): number {
  const high = Math.floor(value / 2 ** 32)
  return high === 0 ? 31 - Math.clz32(value) : 63 - Math.clz32(high)
}
