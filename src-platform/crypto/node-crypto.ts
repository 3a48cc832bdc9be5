/** What the native adapter needs to know of node:crypto itself: its type, and its Buffers made plain. */
import type * as nodeCrypto from 'node:crypto'

/** What of node:crypto is used; a test may hand in one that lacks or breaks something. */
export type NodeCrypto = typeof nodeCrypto

/** A Buffer without Buffer's methods: its `slice` shares memory where Uint8Array's copies. */
export function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}
