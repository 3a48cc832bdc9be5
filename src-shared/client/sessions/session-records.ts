/** The records that rollback detection binds: ratchet sessions and own prekeys. */
import * as z from 'zod'
import { EMPTY_SESSION_SET, prekeyStateSchema, sessionSetSchema } from '../../protocol/index.ts'
import { recordType } from '../store/record-type.ts'
import type { RecordOf } from '../store/record-type.ts'
import { tables } from '../store/tables.ts'

/** Key: member, `/`, device of the peer. */
export const sessionRecord = recordType(
  tables.sessions,
  z.object({
    v: z.literal(1),
    set: sessionSetSchema,
    /** When this side last told the peer that sessions are lost; milliseconds. */
    resetAt: z.int().nullable(),
  }),
  512,
)
export type SessionRecord = RecordOf<typeof sessionRecord>

export const sessionKey = (peer: { readonly member: string; readonly device: string }): string =>
  `${peer.member}/${peer.device}`
export const memberOf = (key: string): string => key.slice(0, key.indexOf('/'))

export const noSessions: SessionRecord = { v: 1, set: EMPTY_SESSION_SET, resetAt: null }

export const prekeyRecord = recordType(tables.prekeys, prekeyStateSchema)
export const OWN_PREKEYS = 'self'
