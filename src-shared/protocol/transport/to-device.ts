/**
 * Messages from device to device outside any room, through the same ratchet sessions (§6).
 *
 * They ask for and answer single content keys, give sender chains, repair sessions and carry what only one's own devices
 * should know. Whom to answer (recorded recipients and own active devices) is the engine's decision;
 * unknown kinds are kept.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  canonicalBytes,
  deviceIdSchema,
  EncodingError,
  envelopeIdSchema,
  fingerprintSchema,
  labelled,
  LABELS,
  parseJsonObject,
  roomIdSchema,
} from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { CONTENT_KEY_BYTES } from '../envelope/index.ts'
import { recoveryNoticeSchema } from '../manifest/index.ts'
import type { HandshakeHeader } from '../handshake/index.ts'
import type { LocalDevice, PeerDevice, PrekeyState, Random } from '../prekeys/index.ts'
import {
  decryptPairwise,
  encryptPairwise,
  MAX_SESSIONS,
  ratchetMessageSchema,
} from '../ratchet/index.ts'
import type {
  PairwiseDecryptErrorCode,
  PairwiseEncryptErrorCode,
  PairwiseReceiving,
  RatchetMessage,
  SessionSet,
} from '../ratchet/index.ts'
import { chainDistributionSchema } from './chain.ts'

/** Canonical bytes of the content. */
const MAX_CONTENT = 32 * 1024

const keyRequestSchema = z.looseObject({
  kind: z.literal('key_request'),
  room: roomIdSchema,
  envelope: envelopeIdSchema,
})
const keyAnswerSchema = z.looseObject({
  kind: z.literal('key_answer'),
  room: roomIdSchema,
  envelope: envelopeIdSchema,
  K: base64UrlSchema(CONTENT_KEY_BYTES),
})
/** The sender can't decrypt in these sessions any more; they are to be forgotten. */
const sessionResetSchema = z.looseObject({
  kind: z.literal('session_reset'),
  lost: z.array(base64UrlSchema(32)).max(MAX_SESSIONS).readonly(),
})
/** Says nothing; answers a session so that it stops carrying its handshake. */
const emptySchema = z.looseObject({ kind: z.literal('empty') })
/** To own devices: what this one is called. */
const deviceNameSchema = z.looseObject({
  kind: z.literal('device_name'),
  device: deviceIdSchema,
  name: z.string().max(128),
})

/** The kinds this version knows; others are kept. */
export const toDeviceContentSchema = z.discriminatedUnion('kind', [
  chainDistributionSchema,
  keyRequestSchema,
  keyAnswerSchema,
  sessionResetSchema,
  emptySchema,
  deviceNameSchema,
  recoveryNoticeSchema,
])
export type KnownToDeviceContent = z.infer<typeof toDeviceContentSchema>

/** `unknown` is a kind of a later version. */
export type ToDeviceContent =
  KnownToDeviceContent | { readonly kind: 'unknown'; readonly content: JsonObject }

const KNOWN_KINDS: ReadonlySet<string> = new Set(
  toDeviceContentSchema.options.map((option) => option.shape.kind.value),
)

type End = { readonly member: string; readonly device: string }
const endSchema = z.object({ member: fingerprintSchema, device: deviceIdSchema })

export type ToDeviceEnvelope = {
  readonly v: 1
  readonly sender: End
  readonly recipient: End
  readonly session: string
  readonly message: RatchetMessage
}

export const toDeviceEnvelopeSchema: z.ZodType<ToDeviceEnvelope> = z.object({
  v: z.literal(1),
  sender: endSchema,
  recipient: endSchema,
  session: base64UrlSchema(32),
  message: ratchetMessageSchema,
})

export type SealToDeviceErrorCode = PairwiseEncryptErrorCode | 'bad_content' | 'too_large'

export type SealToDeviceResult =
  | { readonly ok: true; readonly set: SessionSet; readonly message: ToDeviceEnvelope }
  | { readonly ok: false; readonly code: SealToDeviceErrorCode }

export function sealToDevice(options: {
  readonly crypto: Crypto
  readonly random: Random
  readonly set: SessionSet
  readonly local: LocalDevice
  readonly peer: PeerDevice
  readonly content: KnownToDeviceContent
}): SealToDeviceResult {
  const { crypto, random, set, local, peer, content } = options
  if (!toDeviceContentSchema.safeParse(content).success) return { ok: false, code: 'bad_content' }
  let plaintext: Uint8Array
  try {
    plaintext = canonicalBytes(content as JsonObject)
  } catch (error) {
    if (error instanceof EncodingError) return { ok: false, code: 'bad_content' }
    throw error
  }
  if (plaintext.length > MAX_CONTENT) return { ok: false, code: 'too_large' }
  const context = toDeviceContext(local, peer)
  const encrypted = encryptPairwise({ crypto, random, set, plaintext, context })
  if (!encrypted.ok) return encrypted
  const { session, message } = encrypted
  const envelope = { v: 1, sender: end(local), recipient: end(peer), session, message } as const
  return { ok: true, set: encrypted.set, message: envelope }
}

export type OpenToDeviceErrorCode =
  PairwiseDecryptErrorCode | 'wrong_recipient' | 'wrong_sender' | 'bad_content'

export type OpenToDeviceResult =
  | {
      readonly ok: true
      readonly set: SessionSet
      readonly prekeys: PrekeyState
      readonly content: ToDeviceContent
      /** The handshake, where this message started the session. */
      readonly started: HandshakeHeader | null
    }
  | { readonly ok: false; readonly code: OpenToDeviceErrorCode }

/** `peer` is the device that `message.sender` names, as its verified manifest states it. */
export function openToDevice(
  options: PairwiseReceiving & { readonly message: ToDeviceEnvelope },
): OpenToDeviceResult {
  const { local, peer, message } = options
  if (!sameEnd(message.recipient, local)) return { ok: false, code: 'wrong_recipient' }
  if (!sameEnd(message.sender, peer)) return { ok: false, code: 'wrong_sender' }
  const context = toDeviceContext(peer, local)
  const decrypted = decryptPairwise({
    ...options,
    session: message.session,
    message: message.message,
    context,
  })
  if (!decrypted.ok) return decrypted
  const content = readContent(decrypted.plaintext)
  if (content === null) return { ok: false, code: 'bad_content' }
  const { set, prekeys, started } = decrypted
  return { ok: true, set, prekeys, content, started }
}

function readContent(bytes: Uint8Array): ToDeviceContent | null {
  let content: JsonObject
  try {
    content = parseJsonObject(bytes, { maxBytes: MAX_CONTENT, canonical: true })
  } catch (error) {
    if (error instanceof EncodingError) return null
    throw error
  }
  const { kind } = content
  if (typeof kind !== 'string') return null
  if (!KNOWN_KINDS.has(kind)) return { kind: 'unknown', content }
  const parsed = toDeviceContentSchema.safeParse(content)
  return parsed.success ? parsed.data : null
}

function toDeviceContext(sender: PeerDevice, recipient: PeerDevice): Uint8Array {
  const ends = { sender: end(sender), recipient: end(recipient) }
  return labelled(LABELS.toDevice, canonicalBytes(ends))
}

function end({ member, device }: End): End {
  return { member, device }
}

function sameEnd(a: End, b: End): boolean {
  return a.member === b.member && a.device === b.device
}
