/** Attachments (§9): files sealed in chunks under a key that a message's content key leads to. */
export {
  ATTACHMENT_SALT_BYTES,
  AttachmentError,
  CHUNK_BYTES,
  chunkCount,
  deriveAttachmentKey,
  MAX_ATTACHMENT_BYTES,
  openChunk,
  SEALED_CHUNK_BYTES,
  sealChunk,
  sealedRange,
  sealedSize,
} from './attachment-chunk.ts'
export type { AttachmentErrorCode, AttachmentKey } from './attachment-chunk.ts'
export * from './attachment-stream.ts'
