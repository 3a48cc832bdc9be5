/**
 * The node's Ed25519 keys: one that signs, older ones that stay verifiable. Kept in one file beside the
 * database, readable by the owner alone; the file is never rewritten in place.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { writeFileAtomicallySync } from '../src-platform/atomic-file.ts'
import { base64UrlSchema, fromBase64Url, toBase64Url } from '../src-shared/protocol/index.ts'
import type { Crypto, NodeKey } from '../src-shared/protocol/index.ts'

const fileSchema = z.object({
  current: z.object({ key_id: z.string(), secret: base64UrlSchema(32), since: z.int() }),
  retired: z.array(
    z.object({ key_id: z.string(), ed25519: base64UrlSchema(32), since: z.int(), until: z.int() }),
  ),
})
type KeyFile = z.infer<typeof fileSchema>

export interface PublicNodeKey {
  readonly key_id: string
  readonly ed25519: string
  /** Milliseconds. */
  readonly since: number
  /** Null while it signs. */
  readonly until: number | null
  /** Not in the file any more. */
  readonly lost?: true
}

export interface NodeKeys {
  readonly current: NodeKey
  /** The signing one first. */
  readonly published: readonly PublicNodeKey[]
}

interface Inputs {
  readonly crypto: Crypto
  readonly file: string
  readonly random: (length: number) => Uint8Array
  readonly now: number
}

/** Reads the keys, or makes the first one where there is no file. A file that does not read is an error. */
export function loadNodeKeys(inputs: Inputs): NodeKeys {
  return live(inputs.crypto, readFile(inputs.file) ?? writeFile(inputs, freshKey(inputs), []))
}

export interface LiveNodeKeys extends NodeKeys {
  /** Replaces the signing key where it has signed for longer than `maxAgeMs`; says whether it did. */
  rotateIfOlder(maxAgeMs: number, now: number): boolean
  /** Takes over what another process has written. */
  reload(): void
  /** Keys that have signed and are not in the file: others must go on verifying what they signed. */
  remember(lost: readonly PublicNodeKey[]): void
}

/** The keys of a running node, which may change while it runs. */
export function openNodeKeys(inputs: Inputs): LiveNodeKeys {
  let keys = loadNodeKeys(inputs)
  let remembered: readonly PublicNodeKey[] = []
  return {
    get current() {
      return keys.current
    },
    get published() {
      const known = new Set(keys.published.map(({ key_id: id }) => id))
      return [...keys.published, ...remembered.filter(({ key_id: id }) => !known.has(id))]
    },
    remember(lost) {
      remembered = lost
    },
    rotateIfOlder(maxAgeMs, now) {
      const since = keys.published[0]?.since ?? now
      if (now - since < maxAgeMs) return false
      keys = rotateNodeKey({ ...inputs, now })
      return true
    },
    reload() {
      keys = loadNodeKeys(inputs)
    },
  }
}

/** A new signing key; the old one is kept, public half only. */
export function rotateNodeKey(inputs: Inputs): NodeKeys {
  const file = readFile(inputs.file)
  if (file === null) return loadNodeKeys(inputs)
  const { key_id, secret, since } = file.current
  const ed25519 = toBase64Url(inputs.crypto.ed25519PublicKey(fromBase64Url(secret)))
  const retired = [{ key_id, ed25519, since, until: inputs.now }, ...file.retired]
  return live(inputs.crypto, writeFile(inputs, freshKey(inputs), retired))
}

function live(crypto: Crypto, file: KeyFile): NodeKeys {
  const { key_id, secret, since } = file.current
  const seed = fromBase64Url(secret)
  const ed25519 = toBase64Url(crypto.ed25519PublicKey(seed))
  return {
    current: { keyId: key_id, secret: seed },
    published: [{ key_id, ed25519, since, until: null }, ...file.retired],
  }
}

function freshKey({ crypto, random, now }: Inputs): KeyFile['current'] {
  const secret = random(32)
  const name = toBase64Url(crypto.sha256(crypto.ed25519PublicKey(secret)).subarray(0, 6))
  return { key_id: `ed25519:${name}`, secret: toBase64Url(secret), since: now }
}

/** Where the keys are unless the operator keeps them elsewhere. */
export function keyFileIn(folder: string): string {
  return join(folder, 'signing-key.json')
}

function readFile(path: string): KeyFile | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
  return fileSchema.parse(JSON.parse(text))
}

function writeFile(
  { file: path }: Inputs,
  current: KeyFile['current'],
  retired: KeyFile['retired'],
): KeyFile {
  const file: KeyFile = { current, retired }
  writeFileAtomicallySync(path, `${JSON.stringify(file, null, 2)}\n`)
  return file
}
