/**
 * Signed requests between servers (Federation §15): one Ed25519 signature over method, path, both ends, the
 * digest of the body, time and a nonce, under the label `eccp/server-request/1`. Nothing of a request can be
 * changed, sent elsewhere or sent again.
 */
import {
  base64UrlSchema,
  canonicalBytes,
  fromBase64Url,
  keyIdSchema,
  LABELS,
  parseServerName,
  signLabelled,
  toBase64Url,
  verifyLabelled,
} from '../protocol/index.ts'
import type { Crypto, NodeKey } from '../protocol/index.ts'

/** How far the `ts` of a request may be from the clock of who is asked, in milliseconds, either way. */
export const SERVER_SKEW_MS = 10_000
export const NONCE_BYTES = 16

export interface ServerRequest {
  readonly method: string
  /** With its query, as it stands in the request line. */
  readonly path: string
  readonly origin: string
  readonly destination: string
  /** Empty where there is none. */
  readonly body: Uint8Array
  /** Milliseconds since the epoch. */
  readonly ts: number
  /** 16 random bytes, base64url. */
  readonly nonce: string
}

export interface ServerAuthorization {
  readonly origin: string
  readonly destination: string
  readonly keyId: string
  readonly ts: number
  readonly nonce: string
  readonly sig: string
}

const SCHEME = 'ECCP-Ed25519'
const FIELDS = ['origin', 'destination', 'key', 'ts', 'nonce', 'sig'] as const
const MAX_HEADER = 1024

/** The value of the `Authorization` header. */
export function signServerRequest(crypto: Crypto, key: NodeKey, request: ServerRequest): string {
  const bytes = signedBytes(crypto, request)
  const sig = toBase64Url(signLabelled(crypto, key.secret, LABELS.serverRequest, bytes))
  const { origin, destination, ts, nonce } = request
  const values = { origin, destination, key: key.keyId, ts: String(ts), nonce, sig }
  return `${SCHEME} ${FIELDS.map((name) => `${name}="${values[name]}"`).join(',')}`
}

/** Null for anything but exactly the six fields in their order. */
export function parseServerAuthorization(header: string): ServerAuthorization | null {
  if (header.length > MAX_HEADER || !header.startsWith(`${SCHEME} `)) return null
  const parts = header.slice(SCHEME.length + 1).split(',')
  if (parts.length !== FIELDS.length) return null
  const values: string[] = []
  for (const [index, name] of FIELDS.entries()) {
    const [, value] = /^[a-z]+="([A-Za-z0-9_.:[\]-]{1,255})"$/.exec(parts[index] ?? '') ?? []
    if (value === undefined || !parts[index]?.startsWith(`${name}=`)) return null
    values.push(value)
  }
  const [origin = '', destination = '', keyId = '', ts = '', nonce = '', sig = ''] = values
  const sound =
    parseServerName(origin) !== null &&
    parseServerName(destination) !== null &&
    keyIdSchema.safeParse(keyId).success &&
    /^(?:0|[1-9][0-9]{0,14})$/.test(ts) &&
    base64UrlSchema(NONCE_BYTES).safeParse(nonce).success &&
    base64UrlSchema(64).safeParse(sig).success
  return sound ? { origin, destination, keyId, ts: Number(ts), nonce, sig } : null
}

/** The signature only; time, nonce and whom it is for are the asked server's questions. */
export function verifyServerRequest(
  crypto: Crypto,
  publicKey: Uint8Array,
  request: ServerRequest,
  sig: string,
): boolean {
  const bytes = signedBytes(crypto, request)
  return verifyLabelled(crypto, publicKey, LABELS.serverRequest, bytes, fromBase64Url(sig))
}

function signedBytes(crypto: Crypto, request: ServerRequest): Uint8Array {
  const { method, path, origin, destination, body, ts, nonce } = request
  const digest = toBase64Url(crypto.sha256(body))
  return canonicalBytes({ method, path, origin, destination, body: digest, ts, nonce })
}
