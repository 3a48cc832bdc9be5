/**
 * Sealing (Two objects §5): from content to a signed header and a detached body.
 *
 * The order is fixed: the roster stands in the draft, K is drawn, the body encrypted, then come
 * commitment, body hash, id and signature; wraps are made from the id. The result must be committed
 * before anything of it leaves, and an ambiguous failure repeats the very same bytes.
 */
import { requireLength } from '../crypto.ts'
import type { Crypto } from '../crypto.ts'
import {
  canonicalBytes,
  EncodingError,
  LABELS,
  signLabelled,
  toBase64Url,
} from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import type { LocalDevice, Random } from '../prekeys/index.ts'
import { bindingOf, CONTENT_KEY_BYTES, deriveContentKeys } from './content-key.ts'
import {
  bodyHash,
  ENVELOPE_SUITE,
  envelopeHeaderSchema,
  envelopeIdOf,
  headerBytes,
  MAX_ENVELOPE_SIZE,
} from './header.ts'
import type { ChainPlace, EnvelopeHeader } from './header.ts'
import { encodeContent } from './message-content.ts'
import type { MessageContent } from './message-content.ts'

/** What the sender decides about a header; the rest follows. */
export type EnvelopeDraft = {
  /** Empty for the create envelope. */
  readonly room: string
  readonly seq: number
  readonly prev_own: string | null
  readonly type: string
  readonly ts: number
  /** From `rosterHash`. */
  readonly roster: string
  readonly expires_at?: number
}

export type StateFields = {
  readonly state_key: string
  readonly replaces: string | null
  readonly basis: readonly string[]
}

export interface SealedClearEnvelope {
  readonly id: string
  readonly header: EnvelopeHeader
  /** Canonical header: what `sig` covers. */
  readonly bytes: Uint8Array
  /** 64 bytes as base64url. */
  readonly sig: string
  readonly body: Uint8Array
}

export interface SealedEnvelope extends SealedClearEnvelope {
  /** K; 32 bytes. */
  readonly contentKey: Uint8Array
}

export interface NodeEnvelope extends Omit<SealedClearEnvelope, 'sig'> {
  /** The origin's event signature covers the envelope id instead. */
  readonly sig: null
}

export type SealErrorCode = 'bad_header' | 'bad_content' | 'too_large'

export type SealFailure = { readonly ok: false; readonly code: SealErrorCode }
export type SealResult<T> = { readonly ok: true; readonly sealed: T } | SealFailure

/** A content key that exists before its message, and never belongs to two. */
export type GivenContentKey = {
  /** 32 bytes. */
  readonly contentKey: Uint8Array
  /** Where it is the key of a sender chain; the transport is `chain` then. */
  readonly chain?: ChainPlace
}

/**
 * Encrypts `content` for an ordinary message. The content key is drawn here unless `key` brings it: from
 * a sender chain, or drawn earlier because attachments had to be sealed first.
 */
export function sealEnvelope(options: {
  readonly crypto: Crypto
  readonly random: Random
  readonly local: LocalDevice
  readonly draft: EnvelopeDraft
  readonly content: MessageContent | JsonObject
  readonly key?: GivenContentKey
}): SealResult<SealedEnvelope> {
  const { crypto, random, local, draft, key } = options
  const plaintext = encodeContent(options.content)
  if (plaintext === null) return { ok: false, code: 'bad_content' }
  const contentKey = key?.contentKey ?? random(CONTENT_KEY_BYTES)
  requireLength(contentKey, CONTENT_KEY_BYTES)
  const way =
    key?.chain === undefined
      ? ({ transport: 'pairwise' } as const)
      : ({ transport: 'chain', chain: key.chain } as const)
  const bare = { ...common(draft), member: local.member, device: local.device, ...way }
  const keys = deriveContentKeys(crypto, bindingOf(crypto, bare), contentKey)
  const body = crypto.chacha20Poly1305Seal(keys.key, keys.nonce, plaintext, keys.ad)
  const finished = finish(crypto, { ...bare, commit: toBase64Url(keys.commit) }, body)
  if (!finished.ok) return finished
  const sig = signHeader(crypto, local, finished.sealed.bytes)
  return { ok: true, sealed: { ...finished.sealed, sig, contentKey } }
}

/** State and redactions: the body is canonical JSON that everyone may read. */
export function sealClearEnvelope(options: {
  readonly crypto: Crypto
  readonly local: LocalDevice
  readonly draft: EnvelopeDraft
  readonly state?: StateFields
  readonly content: JsonObject
}): SealResult<SealedClearEnvelope> {
  const { crypto, local, draft, state, content } = options
  const maker = { member: local.member, device: local.device }
  const finished = finishClear(crypto, { ...common(draft), ...state, ...maker }, content)
  if (!finished.ok) return finished
  const sig = signHeader(crypto, local, finished.sealed.bytes)
  return { ok: true, sealed: { ...finished.sealed, sig } }
}

/** What a home node states about its member: the roster (Rosters §6). */
export function sealNodeEnvelope(options: {
  readonly crypto: Crypto
  readonly node: string
  readonly member: string
  readonly draft: EnvelopeDraft
  readonly state: StateFields
  readonly content: JsonObject
}): SealResult<NodeEnvelope> {
  const { crypto, node, member, draft, state, content } = options
  const maker = { member, device: null, node }
  const finished = finishClear(crypto, { ...common(draft), ...state, ...maker }, content)
  return finished.ok ? { ok: true, sealed: { ...finished.sealed, sig: null } } : finished
}

type Finished = Omit<SealedClearEnvelope, 'sig'>
type UnboundHeader = Omit<EnvelopeHeader, 'body_hash'>

function common(draft: EnvelopeDraft) {
  return { ...draft, v: 1, suite: ENVELOPE_SUITE } as const
}

function finishClear(
  crypto: Crypto,
  header: Omit<UnboundHeader, 'transport' | 'commit'>,
  content: JsonObject,
): SealResult<Finished> {
  let body: Uint8Array
  try {
    body = canonicalBytes(content)
  } catch (error) {
    if (error instanceof EncodingError) return { ok: false, code: 'bad_content' }
    throw error
  }
  return finish(crypto, { ...header, transport: 'clear', commit: null }, body)
}

function finish(crypto: Crypto, unbound: UnboundHeader, body: Uint8Array): SealResult<Finished> {
  const header: EnvelopeHeader = { ...unbound, body_hash: bodyHash(crypto, body) }
  if (!envelopeHeaderSchema.safeParse(header).success) return { ok: false, code: 'bad_header' }
  const bytes = headerBytes(header)
  if (bytes.length + body.length > MAX_ENVELOPE_SIZE) return { ok: false, code: 'too_large' }
  return { ok: true, sealed: { id: envelopeIdOf(crypto, bytes), header, bytes, body } }
}

function signHeader(crypto: Crypto, local: LocalDevice, bytes: Uint8Array): string {
  return toBase64Url(signLabelled(crypto, local.ed25519Secret, LABELS.envelopeSignature, bytes))
}
