/** What JSON of other servers may come to in memory, where each value takes many times its bytes (Federation §15.8). */

export const MAX_MARKS = 200_000

const COMMA = 0x2c
const LIST = 0x5b
const OBJECT = 0x7b

/** Counted before it is read: commas and opening brackets, those in texts included. */
export function holdsTooMuch(bytes: Uint8Array): boolean {
  let marks = 0
  for (const byte of bytes) if (byte === COMMA || byte === LIST || byte === OBJECT) marks++
  return marks > MAX_MARKS
}
