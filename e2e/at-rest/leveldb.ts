/**
 * Reads LevelDB files byte by byte, for the at-rest search: table files with their blocks decompressed
 * and keys restored from prefix compression, log files with their fragments joined. Knows the file
 * format only (LevelDB's table_format and log_format); never opens a database.
 */
import { uncompress } from 'snappyjs'

const tableMagic = 0xdb4775248b80fb57n
const logBlock = 32 * 1024

interface Cursor {
  at: number
}

function varint(bytes: Uint8Array, cursor: Cursor): number {
  let value = 0
  let scale = 1
  for (let i = 0; i < 10; i += 1) {
    const byte = bytes[cursor.at]
    if (byte === undefined) throw new RangeError('varint runs over the end')
    cursor.at += 1
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return value
    scale *= 128
  }
  throw new RangeError('varint too long')
}

function block(file: Uint8Array, offset: number, size: number): Uint8Array {
  const raw = file.subarray(offset, offset + size)
  const compression = file[offset + size]
  return compression === 1 ? uncompress(raw) : raw
}

function* entries(content: Uint8Array): Generator<{ key: Uint8Array; value: Uint8Array }> {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  const restarts = view.getUint32(content.byteLength - 4, true)
  const end = content.byteLength - 4 - 4 * restarts
  const cursor = { at: 0 }
  let key: Uint8Array = new Uint8Array()
  while (cursor.at < end) {
    const shared = varint(content, cursor)
    const fresh = varint(content, cursor)
    const length = varint(content, cursor)
    const next = new Uint8Array(shared + fresh)
    next.set(key.subarray(0, shared))
    next.set(content.subarray(cursor.at, cursor.at + fresh), shared)
    key = next
    cursor.at += fresh
    yield { key, value: content.subarray(cursor.at, cursor.at + length) }
    cursor.at += length
  }
}

/** Keys and values of a `.ldb` file; throws RangeError where it is not one. */
export function* tableContents(file: Uint8Array): Generator<Uint8Array> {
  if (file.byteLength < 48) throw new RangeError('too short for a table')
  const footer = file.subarray(file.byteLength - 48)
  const magic = new DataView(footer.buffer, footer.byteOffset + 40, 8).getBigUint64(0, true)
  if (magic !== tableMagic) throw new RangeError('not a table')
  const cursor = { at: 0 }
  varint(footer, cursor)
  varint(footer, cursor)
  const index = block(file, varint(footer, cursor), varint(footer, cursor))
  for (const { value } of entries(index)) {
    const handle = { at: 0 }
    for (const entry of entries(block(file, varint(value, handle), varint(value, handle)))) {
      yield entry.key
      yield entry.value
    }
  }
}

/** The records of a `.log` or `MANIFEST` file, fragments joined; stops quietly at a torn end. */
export function* logRecords(file: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  let parts: Uint8Array[] = []
  let at = 0
  while (at + 7 <= file.byteLength) {
    const left = logBlock - (at % logBlock)
    if (left < 7) {
      at += left
      continue
    }
    const length = view.getUint16(at + 4, true)
    const type = file[at + 6]
    if (type === 0 && length === 0) {
      at += left
      continue
    }
    parts.push(file.subarray(at + 7, at + 7 + length))
    if (type === 1 || type === 4) {
      yield Buffer.concat(parts)
      parts = []
    }
    at += 7 + length
  }
  if (parts.length > 0) yield Buffer.concat(parts)
}
