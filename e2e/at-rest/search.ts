/**
 * Looks for known plaintext in everything a program left on disk: raw bytes, LevelDB tables and logs
 * decompressed, IndexedDB values that Chromium compressed, and the columns of SQLite databases; each
 * needle as UTF-8, UTF-16LE, hex, base64 and base64url at every alignment.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { uncompress } from 'snappyjs'
import { logRecords, tableContents } from './leveldb.ts'

export interface Finding {
  readonly file: string
  /** The name the caller gave the needle; never the needle itself. */
  readonly needle: string
  readonly encoding: string
}

export interface SearchReport {
  readonly findings: readonly Finding[]
  readonly files: number
  readonly bytes: number
  /** LevelDB records and table entries looked at. */
  readonly records: number
}

function base64Forms(needle: Buffer, encoding: 'base64' | 'base64url'): Buffer[] {
  // Depending on what precedes it, a text starts at one of three places in a group of four characters;
  // the characters that also depend on its neighbours are cut off.
  return [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), needle])
      .toString(encoding)
      .replaceAll('=', '')
    const from = shift === 0 ? 0 : shift + 1
    const cut = (shift + needle.byteLength) % 3 === 0 ? 0 : 1
    return Buffer.from(text.slice(from, text.length - cut))
  })
}

function encodings(needle: string | Uint8Array): [string, Buffer][] {
  const bytes = typeof needle === 'string' ? Buffer.from(needle, 'utf8') : Buffer.from(needle)
  const forms: [string, Buffer][] = [
    ['raw', bytes],
    ['hex', Buffer.from(bytes.toString('hex'))],
    ['HEX', Buffer.from(bytes.toString('hex').toUpperCase())],
    ...base64Forms(bytes, 'base64').map((form): [string, Buffer] => ['base64', form]),
    ...base64Forms(bytes, 'base64url').map((form): [string, Buffer] => ['base64url', form]),
  ]
  if (typeof needle === 'string') {
    const wide = Buffer.from(needle, 'utf16le')
    forms.push(['utf16le', wide])
    // JSON inside a value that is itself text escapes what is not ASCII.
    const escaped = JSON.stringify(needle).slice(1, -1)
    if (escaped !== needle) forms.push(['json', Buffer.from(escaped)])
  }
  return forms.filter(([, form]) => form.byteLength >= 6)
}

const marker = Buffer.from([0xff, 0x11])

/** Chromium stores larger IndexedDB values snappy-compressed behind a two-byte marker and a tag. */
function* decompressedValues(value: Uint8Array): Generator<Uint8Array> {
  yield value
  for (let i = 0; i + 3 < Math.min(value.byteLength, 32); i += 1) {
    if (value[i] !== 0xff || value[i + 1] !== 0x11) continue
    try {
      yield uncompress(value.subarray(i + 3))
    } catch {
      // Not compressed after all: the raw value was searched already.
    }
  }
}

function* filesBelow(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path)
    else if (entry.isFile()) yield path
  }
}

function* sqliteValues(path: string): Generator<Uint8Array> {
  // A copy, so that opening it can't disturb the original's write-ahead log.
  const folder = mkdtempSync(join(tmpdir(), 'at-rest-'))
  try {
    for (const suffix of ['', '-wal', '-shm']) {
      if (statSync(path + suffix, { throwIfNoEntry: false }) !== undefined)
        cpSync(path + suffix, join(folder, `copy${suffix}`))
    }
    const database = new DatabaseSync(join(folder, 'copy'))
    try {
      const tables = database.prepare("select name from sqlite_master where type = 'table'").all()
      for (const table of tables) {
        const name = String(table['name']).replaceAll('"', '""')
        const all = database.prepare(`select * from "${name}"`)
        // Chromium's own databases count time in numbers beyond the safe integers.
        all.setReadBigInts(true)
        const rows = all.all()
        for (const row of rows) {
          for (const value of Object.values(row)) {
            if (typeof value === 'string') yield Buffer.from(value, 'utf8')
            else if (value instanceof Uint8Array) yield value
          }
        }
      }
    } finally {
      database.close()
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function* structured(path: string, content: Buffer): Generator<Uint8Array> {
  const name = basename(path)
  if (name.endsWith('.ldb') || name.endsWith('.sst')) {
    try {
      for (const value of tableContents(content)) yield* decompressedValues(value)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
  } else if (/^(MANIFEST-\d+|\d+\.log)$/.test(name)) {
    for (const record of logRecords(content)) {
      yield record
      // A write batch holds many values: any of them may be compressed.
      const batch = Buffer.from(record)
      for (let i = batch.indexOf(marker); i >= 0; i = batch.indexOf(marker, i + 1)) {
        yield* decompressedValues(batch.subarray(i))
      }
    }
  } else if (content.subarray(0, 15).toString('latin1') === 'SQLite format 3') {
    yield* sqliteValues(path)
  }
}

export function searchAtRest(
  folder: string,
  needles: Readonly<Record<string, string | Uint8Array>>,
): SearchReport {
  const forms = Object.entries(needles).flatMap(([name, needle]) =>
    encodings(needle).map(([encoding, bytes]) => ({ name, encoding, bytes })),
  )
  const findings = new Map<string, Finding>()
  let files = 0
  let bytes = 0
  let records = 0
  const look = (file: string, content: Uint8Array): void => {
    const haystack = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
    for (const form of forms) {
      if (!haystack.includes(form.bytes)) continue
      const finding = { file: relative(folder, file), needle: form.name, encoding: form.encoding }
      findings.set(JSON.stringify(finding), finding)
    }
  }
  for (const file of filesBelow(folder)) {
    const content = readFileSync(file)
    files += 1
    bytes += content.byteLength
    look(file, content)
    look(file, Buffer.from(basename(file)))
    for (const piece of structured(file, content)) {
      records += 1
      look(file, piece)
    }
  }
  return { findings: [...findings.values()], files, bytes, records }
}
