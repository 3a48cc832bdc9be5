/**
 * Padmé padding (Shadow Rooms §12; Nikitin et al., PETS 2019): a length shows only its magnitude and
 * its first few bits, for at most 12 % more bytes.
 */

/** Everything shorter looks alike; Padmé alone hides little in short messages. */
export const MIN_PADDED_SIZE = 256

/** The size in bytes to which content of `size` bytes is padded; never less than `size`. */
export function paddedSize(size: number): number {
  if (size <= MIN_PADDED_SIZE) return MIN_PADDED_SIZE
  const exponent = Math.floor(Math.log2(size))
  const significant = Math.floor(Math.log2(exponent)) + 1
  const unit = 2 ** (exponent - significant)
  return Math.ceil(size / unit) * unit
}
