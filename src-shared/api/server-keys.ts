/**
 * The key document of a server (Federation §15): the key that signs, the ones that signed before, and a
 * signature by the present one under `eccp/server-key/1`. Old keys stay in it, because events under them
 * stay; a key id stands for one key, ever.
 */
import * as z from 'zod'
import {
  base64UrlSchema,
  canonicalBytes,
  fromBase64Url,
  keyIdSchema,
  LABELS,
  serverNameSchema,
  signLabelled,
  timestampSchema,
  toBase64Url,
  verifyLabelled,
} from '../protocol/index.ts'
import type { Crypto, NodeKey } from '../protocol/index.ts'

const MAX_KEYS = 64

export const serverKeySchema = z.object({
  key_id: keyIdSchema,
  /** Base64url. */
  ed25519: base64UrlSchema(32),
  since: timestampSchema,
  /** Null while it signs. */
  until: timestampSchema.nullable(),
})
export type ServerKey = z.infer<typeof serverKeySchema>

export const serverKeysSchema = z.object({
  server_name: serverNameSchema,
  /** The signing one first. */
  keys: z.array(serverKeySchema).min(1).max(MAX_KEYS),
  sig: base64UrlSchema(64),
})
export type ServerKeys = z.infer<typeof serverKeysSchema>

export function signServerKeys(
  crypto: Crypto,
  key: NodeKey,
  serverName: string,
  keys: readonly ServerKey[],
): ServerKeys {
  const known = keys.slice(0, MAX_KEYS)
  const sig = signLabelled(crypto, key.secret, LABELS.serverKey, signedBytes(serverName, known))
  return { server_name: serverName, keys: [...known], sig: toBase64Url(sig) }
}

/** Whether the document is `server`'s, speaks of each key once, and holds under its first key. */
export function verifyServerKeys(crypto: Crypto, document: ServerKeys, server: string): boolean {
  const { server_name: name, keys, sig } = document
  const [current, ...retired] = keys
  if (name !== server || current === undefined || current.until !== null) return false
  if (retired.some((key) => key.until === null)) return false
  if (new Set(keys.map((key) => key.key_id)).size !== keys.length) return false
  if (!keys.every((key) => crypto.ed25519IsAdmissible(fromBase64Url(key.ed25519)))) return false
  const bytes = signedBytes(name, keys)
  const key = fromBase64Url(current.ed25519)
  return verifyLabelled(crypto, key, LABELS.serverKey, bytes, fromBase64Url(sig))
}

function signedBytes(server: string, keys: readonly ServerKey[]): Uint8Array {
  const listed = keys.map(({ key_id, ed25519, since, until }) => ({
    key_id,
    ed25519,
    since,
    until,
  }))
  return canonicalBytes({ server_name: server, keys: listed })
}
