/** The stream (Sync §8): sync over a WebSocket. Frames are JSON texts, one each. */
import * as z from 'zod'
import { clientPrefix, syncResponseSchema } from './client-server.ts'
import { errcodes } from './errors.ts'
import { lookSchema, typingSchema } from './sync-windows.ts'

export const syncStream = {
  path: `${clientPrefix}/sync/stream`,
  subprotocol: 'eccp.sync.1',
  /** Bytes of one frame from the node. */
  maxNews: 4 * 1024 * 1024,
  /** Bytes of one frame from the client. */
  maxAsked: 64 * 1024,
  /** News that may be on the way without being stored. */
  maxUnstored: 8,
  /** A node pings this often, in milliseconds. */
  pingMs: 30_000,
  /** A side that hears nothing for so long closes. */
  silenceMs: 90_000,
} as const

/** Why a stream ended, in the close frame. */
export const streamClose = {
  /** A frame that is none, or too large, or out of turn. */
  badFrame: 4400,
  badToken: 4401,
  deviceRemoved: 4403,
  /** The position can't be gone on from: `E_SYNC_RESET`. */
  reset: 4409,
  /** The next answer is larger than a frame: ask for it with the long poll, then come back. */
  tooLarge: 4413,
  limit: 4429,
  /** Another sync of the same device has taken over. */
  replaced: 4430,
  failed: 4500,
} as const

const position = z.string().max(128)

export const streamAskSchema = z.discriminatedUnion('type', [
  /** The first frame; with windows as in a window request, else as the long poll. */
  lookSchema.extend({ type: z.literal('start'), since: position.optional() }),
  /** Everything up to `position` is durable on the device. */
  z.object({ type: z.literal('stored'), position }),
  /** Other windows from now on. */
  lookSchema.extend({ type: z.literal('look') }),
])
export type StreamAsk = z.infer<typeof streamAskSchema>

export const streamNewsSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('news'), sync: syncResponseSchema }),
  /** Who writes in the rooms that were asked about; not answered by `stored`. */
  z.object({ type: z.literal('typing'), rooms: typingSchema }),
  /** Followed by a close. */
  z.object({
    type: z.literal('error'),
    errcode: z.enum(errcodes),
    error: z.string().max(512),
    retry_after_ms: z.int().nonnegative().optional(),
  }),
])
export type StreamNews = z.infer<typeof streamNewsSchema>
