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
    const { api, life, me } = this.#ctx
    const answer = await api.call('capabilities', { cancel: life })
    if (!answer.ok || answer.value.server_name !== me.serverName) return
    await this.#keep(me.serverName, [answer.value.signing_key])
  }

  /** Asks the own node for the keys of another, which it has verified events under. Throws `Unanswered`. */
  async fetch(server: string): Promise<void> {
    const { api, life } = this.#ctx
    const answer = await api.call('serverKeys', { params: { serverName: server }, cancel: life })
    if (answer.ok && answer.value.server_name === server)
      await this.#keep(server, answer.value.keys)
  }

  async #keep(
    server: string,
    keys: readonly { readonly key_id: string; readonly ed25519: string }[],
  ): Promise<void> {
    await this.#ctx.db.step('origin-key', async (step) => {
      const servers = (await step.get(originKeysRecord, KEY))?.servers ?? {}
      const known = servers[server] ?? {}
      // A key id stands for one key, ever.
      const fresh = keys.filter(({ key_id }) => known[key_id] === undefined)
      if (fresh.length === 0) return
      const added = Object.fromEntries(fresh.map(({ key_id, ed25519 }) => [key_id, ed25519]))
      const next = { ...servers, [server]: { ...known, ...added } }
      step.put(originKeysRecord, KEY, { v: 1, servers: next })
    })
  }
}
