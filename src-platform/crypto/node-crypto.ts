/** What the native adapter needs to know of node:crypto itself: its type, and bytes in other dress. */
import type * as nodeCrypto from 'node:crypto'

/** What of node:crypto is used; a test may hand in one that lacks or breaks something. */
export type NodeCrypto = typeof nodeCrypto

/** A Buffer without Buffer's methods: its `slice` shares memory where Uint8Array's copies. */
export function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}

/** A character a byte; for some tens of bytes. */
export function latin1(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as unknown as number[])
}
