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
  verifyLabelledValue,
} from '../protocol/index.ts'
import type { Crypto, NodeKey } from '../protocol/index.ts'

const MAX_KEYS = 64

export type ServerKey = {
  readonly key_id: string
  /** Base64url. */
  readonly ed25519: string
  readonly since: number
  /** Null while it signs. */
  readonly until: number | null
  /** Its server has it no more, and so could not rotate it itself. */
  readonly lost?: true | undefined
}

/** Members that this version does not know are kept, here and in the document: its signature covers them. */
export const serverKeySchema: z.ZodType<ServerKey> = z.looseObject({
  key_id: keyIdSchema,
  ed25519: base64UrlSchema(32),
  since: timestampSchema,
  until: timestampSchema.nullable(),
  lost: z.literal(true).optional(),
})

export type ServerKeys = {
  readonly server_name: string
  /** The signing one first. */
  readonly keys: readonly ServerKey[]
  readonly sig: string
}

export const serverKeysSchema: z.ZodType<ServerKeys> = z.looseObject({
  server_name: serverNameSchema,
  keys: z.array(serverKeySchema).min(1).max(MAX_KEYS),
  sig: base64UrlSchema(64),
})

export function signServerKeys(
  crypto: Crypto,
  key: NodeKey,
  serverName: string,
  keys: readonly ServerKey[],
): ServerKeys {
  const known = keys.slice(0, MAX_KEYS)
  const bytes = canonicalBytes({
    server_name: serverName,
    keys: known.map(({ key_id, ed25519, since, until, lost }) => ({
      ...{ key_id, ed25519, since, until },
      ...(lost === undefined ? {} : { lost }),
    })),
  })
  const sig = signLabelled(crypto, key.secret, LABELS.serverKey, bytes)
  return { server_name: serverName, keys: [...known], sig: toBase64Url(sig) }
}

/** Whether the document is `server`'s, speaks of each key once, and holds under its first key. */
export function verifyServerKeys(crypto: Crypto, document: ServerKeys, server: string): boolean {
  const { sig, ...signed } = document
  const { server_name: name, keys } = signed
  const [current, ...retired] = keys
  if (name !== server || current === undefined || current.until !== null) return false
  if (retired.some((key) => key.until === null)) return false
  if (new Set(keys.map((key) => key.key_id)).size !== keys.length) return false
  if (!keys.every((key) => crypto.ed25519IsAdmissible(fromBase64Url(key.ed25519)))) return false
  const key = fromBase64Url(current.ed25519)
  return verifyLabelledValue(crypto, key, LABELS.serverKey, signed, sig)
}
