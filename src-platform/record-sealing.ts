/**
 * Seals the records of a store that must not know what it holds: every value by XChaCha20-Poly1305
 * under a random nonce, bound to its table, key and schema version; every key blinded by HMAC-SHA256.
 *
 * Owns the format of a sealed record. Knows nothing of where records lie or which of them are current.
 *
 *   sealed    = nonce(24) ‖ XChaCha20-Poly1305(plaintext, ad)
 *   ad        = "privchat/record/1" ‖ 0 ‖ u32 schema ‖ lp(table) ‖ lp(key)
 *   plaintext = u32 length of value ‖ tag(16) ‖ value ‖ zeros up to a padded size
 *
 * `tag` names the commit that wrote the record where the caller tracks that, and is zero elsewhere.
 */
import { concatBytes, paddedSize, toBase64Url, toUtf8 } from '../src-shared/protocol/index.ts'
import type { Crypto } from '../src-shared/protocol/index.ts'
import type { Random, RecordKey } from '../src-shared/client/index.ts'

/** Changes when the meaning of a plaintext does; a record of another version does not open. */
const SCHEMA = 1
const NONCE = 24
const TAG = 16
const HEAD = 4 + TAG
const RECORD_LABEL = toUtf8('privchat/record/1\0')
const BLIND_LABEL = toUtf8('privchat/blind/1\0')

export const tagLength = TAG
const NO_TAG = new Uint8Array(TAG)

interface OpenedRecord {
  readonly value: Uint8Array
  readonly tag: Uint8Array
}

export interface RecordSealing {
  /** 22 characters; equal for equal (table, key, generation) only. */
  blind(record: RecordKey, generation?: number): string
  blindCommit(id: string): string
  seal(record: RecordKey, value: Uint8Array, tag?: Uint8Array): Uint8Array
  /** Null where the bytes were not sealed under this key for this record. */
  open(record: RecordKey, sealed: Uint8Array): OpenedRecord | null
}

function u32(value: number): Uint8Array {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, value)
  return out
}

function lengthPrefixed(text: string): Uint8Array {
  const bytes = toUtf8(text)
  return concatBytes(u32(bytes.length), bytes)
}

/** `key` is the store's own key of 32 bytes, used for nothing else. */
export function createRecordSealing(
  crypto: Crypto,
  random: Random,
  key: Uint8Array,
): RecordSealing {
  const derive = (info: string): Uint8Array =>
    crypto.hkdfSha256(key, new Uint8Array(0), toUtf8(info), 32)
  const sealKey = derive('privchat/record-seal/1')
  const blindKey = derive('privchat/record-blind/1')

  const associatedData = (record: RecordKey): Uint8Array =>
    concatBytes(RECORD_LABEL, u32(SCHEMA), lengthPrefixed(record.table), lengthPrefixed(record.key))
  const blinded = (kind: number, ...parts: Uint8Array[]): string => {
    const digest = crypto.hmacSha256(
      blindKey,
      concatBytes(BLIND_LABEL, Uint8Array.of(kind), ...parts),
    )
    return toBase64Url(digest.subarray(0, 16))
  }

  return {
    blind: (record, generation = 0) =>
      blinded(0, u32(generation), lengthPrefixed(record.table), lengthPrefixed(record.key)),
    blindCommit: (id) => blinded(1, lengthPrefixed(id)),
    seal(record, value, tag = NO_TAG) {
      const plaintext = new Uint8Array(paddedSize(HEAD + value.length))
      plaintext.set(u32(value.length))
      plaintext.set(tag, 4)
      plaintext.set(value, HEAD)
      const nonce = random.bytes(NONCE)
      const ad = associatedData(record)
      return concatBytes(nonce, crypto.xchacha20Poly1305Seal(sealKey, nonce, plaintext, ad))
    },
    open(record, sealed) {
      if (sealed.length < NONCE + TAG) return null
      const nonce = sealed.subarray(0, NONCE)
      const ad = associatedData(record)
      const plaintext = crypto.xchacha20Poly1305Open(sealKey, nonce, sealed.subarray(NONCE), ad)
      if (plaintext === null || plaintext.length < HEAD) return null
      const length = new DataView(plaintext.buffer, plaintext.byteOffset).getUint32(0)
      if (HEAD + length > plaintext.length) return null
      return { tag: plaintext.slice(4, HEAD), value: plaintext.slice(HEAD, HEAD + length) }
    },
  }
}
