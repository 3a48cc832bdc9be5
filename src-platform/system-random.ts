/** The Random port over the operating system's generator. */
import { getRandomValues } from 'node:crypto'
import type { Random } from '../src-shared/client/index.ts'

/** `getRandomValues` fills at most this many bytes at a time. */
const MAX_FILL = 65_536

export function createSystemRandom(): Random {
  return {
    bytes(length) {
      const out = new Uint8Array(length)
      for (let start = 0; start < length; start += MAX_FILL) {
        getRandomValues(out.subarray(start, start + MAX_FILL))
      }
      return out
    },
  }
}
