/**
 * What a message says (Two objects §5): the JSON inside the ciphertext.
 *
 * Relations, mentions, edits and reactions live in here, so that nodes don't see them. Unknown fields
 * and kinds are kept. Whether an edit counts (same account) or a mention matters is the reader's
 * business.
 */
import * as z from 'zod'
import {
  base64UrlSchema,
  canonicalBytes,
  EncodingError,
  envelopeIdSchema,
  fingerprintSchema,
  parseJsonObject,
  serverNameSchema,
  timestampSchema,
} from '../encoding/index.ts'
import type { Json, JsonObject } from '../encoding/index.ts'
import { MAX_ENVELOPE_SIZE } from './header.ts'
import { paddedSize } from './padding.ts'

/** Kinds this version knows; others are kept and shown as unsupported. */
export const MESSAGE_KINDS = ['text', 'edit', 'reaction', 'delete', 'file', 'system'] as const
export type MessageKind = (typeof MESSAGE_KINDS)[number]

export const relationSchema = z.looseObject({
  kind: z.enum(['reply', 'thread', 'edit', 'reaction', 'delete']),
  target: envelopeIdSchema,
  /** In a reply within a thread: the thread's first message. */
  root: envelopeIdSchema.exactOptional(),
})
export type Relation = z.infer<typeof relationSchema>

const pixels = z.int().min(1).max(65_535)
/** Where a node keeps the sealed bytes, and how to know and open them. */
const storedFields = {
  server: serverNameSchema,
  media: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/),
  /** Drawn anew whenever a file is sealed; its key derives from it and the message's content key. */
  salt: base64UrlSchema(32),
  /** SHA-256 of the sealed bytes. */
  digest: base64UrlSchema(32),
  /** Bytes of the plaintext. */
  size: z.int().nonnegative(),
  mime: z.string().max(128),
  width: pixels.exactOptional(),
  height: pixels.exactOptional(),
}

/** A file (Attachments §9). */
export const attachmentSchema = z.looseObject({
  ...storedFields,
  name: z.string().max(255),
  /** Milliseconds, of sound and film. */
  duration: z.int().nonnegative().exactOptional(),
  thumbnail: z.looseObject(storedFields).exactOptional(),
})
export type Attachment = z.infer<typeof attachmentSchema>

/** Where a bridged message came from (Bots, bridges §11). */
export const provenanceSchema = z.looseObject({
  network: z.string().min(1).max(64),
  sender: z.string().min(1).max(255),
  sender_name: z.string().max(255).exactOptional(),
  /** Whether the remote side was end-to-end encrypted up to the bridge. */
  encrypted: z.boolean(),
})
export type Provenance = z.infer<typeof provenanceSchema>

export const messageContentSchema = z
  .looseObject({
    v: z.literal(1),
    kind: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/),
    text: z.string().exactOptional(),
    relates: relationSchema.exactOptional(),
    mentions: z.array(fingerprintSchema).max(256).exactOptional(),
    attachments: z.array(attachmentSchema).max(32).exactOptional(),
    provenance: provenanceSchema.exactOptional(),
    expires_at: timestampSchema.exactOptional(),
    /** In a reaction: `false` takes it back. */
    on: z.boolean().exactOptional(),
    /** Of any length; left out where content is read. */
    pad: z.string().regex(/^0*$/).exactOptional(),
  })
  .refine(hasWhatItsKindNeeds, 'bad kind')
export type MessageContent = z.infer<typeof messageContentSchema>

const NEEDED: Readonly<
  Record<string, { readonly text?: true; readonly relation?: string; readonly files?: true }>
> = {
  text: { text: true },
  edit: { text: true, relation: 'edit' },
  /** The text is the emoji. */
  reaction: { text: true, relation: 'reaction' },
  delete: { relation: 'delete' },
  file: { files: true },
}

function hasWhatItsKindNeeds(content: {
  readonly kind: string
  readonly text?: string
  readonly relates?: { readonly kind: string }
  readonly attachments?: readonly unknown[]
}): boolean {
  const needed = Object.hasOwn(NEEDED, content.kind) ? NEEDED[content.kind] : undefined
  if (needed === undefined) return true
  return (
    (needed.text === undefined || content.text !== undefined) &&
    (needed.relation === undefined || content.relates?.kind === needed.relation) &&
    (needed.files === undefined || (content.attachments?.length ?? 0) > 0)
  )
}

/** Canonical bytes padded to `paddedSize`, or `null` where the content is not valid. */
export function encodeContent(content: MessageContent | JsonObject): Uint8Array | null {
  const parsed = messageContentSchema.safeParse(content)
  if (!parsed.success) return null
  try {
    // The schema's output has lost no field, but it is the input that is encoded.
    const unpadded = canonicalBytes({ ...(content as JsonObject), pad: '' })
    const missing = paddedSize(unpadded.length) - unpadded.length
    return canonicalBytes({ ...(content as JsonObject), pad: '0'.repeat(missing) })
  } catch (error) {
    if (error instanceof EncodingError) return null
    throw error
  }
}

/** `null` where the bytes are not valid content. The padding is left out. */
export function decodeContent(bytes: Uint8Array): MessageContent | null {
  let value: Json
  try {
    value = parseJsonObject(bytes, { maxBytes: MAX_ENVELOPE_SIZE, canonical: true })
  } catch (error) {
    if (error instanceof EncodingError) return null
    throw error
  }
  const parsed = messageContentSchema.safeParse(value)
  if (!parsed.success) return null
  const { pad: _, ...content } = parsed.data
  return content
}
