/** Signing keys of nodes, kept from first sight, so that events stay verifiable after a rotation. */
import * as z from 'zod'
import { fromBase64Url } from '../../protocol/index.ts'
import type { OriginKeys } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import { recordType } from '../store/record-type.ts'
import type { Reader } from '../store/database.ts'
import { tables } from '../store/tables.ts'

const originKeysRecord = recordType(
  tables.account,
  z.object({
    v: z.literal(1),
    /** Ed25519 keys as base64url, by server name and key id. */
    servers: z.record(z.string(), z.record(z.string(), z.string())),
  }),
)
const KEY = 'origin-keys'

export class OriginKeyBook {
  readonly #ctx: Context

  constructor(ctx: Context) {
    this.#ctx = ctx
  }

  async lookup(reader: Reader): Promise<OriginKeys> {
    const record = await reader.get(originKeysRecord, KEY)
    return (server, keyId) => {
      const key = record?.servers[server]?.[keyId]
      return key === undefined ? undefined : fromBase64Url(key)
    }
  }

  async knows(reader: Reader, server: string): Promise<boolean> {
    return (await reader.get(originKeysRecord, KEY))?.servers[server] !== undefined
  }

  /** Asks the own node for its key. Throws `Unanswered`. */
  async fetchOwn(): Promise<void> {
    const { api, db, life, me } = this.#ctx
    const answer = await api.call('capabilities', { cancel: life })
    if (!answer.ok || answer.value.server_name !== me.serverName) return
    const { key_id, ed25519 } = answer.value.signing_key
    await db.step('origin-key', async (step) => {
      const servers = (await step.get(originKeysRecord, KEY))?.servers ?? {}
      const own = servers[me.serverName] ?? {}
      // A key id stands for one key, ever.
      if (own[key_id] !== undefined) return
      const next = { ...servers, [me.serverName]: { ...own, [key_id]: ed25519 } }
      step.put(originKeysRecord, KEY, { v: 1, servers: next })
    })
  }
}
