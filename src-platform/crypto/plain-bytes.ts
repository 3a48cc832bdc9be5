/** A Buffer without Buffer's methods: its `slice` shares memory where Uint8Array's copies. */
export function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}
