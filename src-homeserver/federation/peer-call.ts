/** What an endpoint for other servers gets and gives: its own types, from its schemas. */
import type * as z from 'zod'
import type { JsonObject } from '../../src-shared/protocol/index.ts'
import type { ServerAnswer, ServerApi, ServerEndpointName } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'

export interface PeerCall<N extends ServerEndpointName> {
  /** The server that asks; empty where nobody has to sign. */
  readonly origin: string
  readonly params: z.output<ServerApi[N]['params']>
  readonly query: z.output<ServerApi[N]['query']>
  readonly body: z.output<ServerApi[N]['body']>
  /** The body as the strict parser read it: what is hashed, verified and stored. */
  readonly raw: JsonObject
}

export type PeerHandler<N extends ServerEndpointName> = (
  context: Context,
  call: PeerCall<N>,
) => Promise<ServerAnswer<N>>
