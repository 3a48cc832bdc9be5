/** The first things of an engine: its database and its way to the node, before anyone is known. */
import { toBase64Url } from '../../protocol/index.ts'
import type { Errcode } from '../../api/index.ts'
import type { EnginePorts } from '../context.ts'
import { ApiClient } from '../http/api-client.ts'
import { Lifetime } from '../lifetime.ts'
import { Database } from '../store/database.ts'

export interface Foundation {
  readonly ports: EnginePorts
  readonly db: Database
  readonly api: ApiClient
  readonly life: Lifetime
  readonly newId: () => string
  /** The token to send from now on. */
  useToken(token: string | null): void
  /** Late-bound: what the node and the store may say at any time. */
  readonly on: { signedOut: (errcode: Errcode) => void; full: () => void; silence: () => void }
}

export function layFoundation(ports: EnginePorts): Foundation {
  const { random, store, log, transport, clock } = ports
  const newId = (): string => toBase64Url(random.bytes(16))
  const nothing = (): void => undefined
  const on: Foundation['on'] = { signedOut: nothing, full: nothing, silence: nothing }
  const life = new Lifetime(clock)
  let token: string | null = null
  const db = new Database({
    store,
    log,
    newId,
    onFull: () => {
      on.full()
    },
  })
  const api = new ApiClient({
    transport,
    log,
    token: () => token,
    onSignedOut: (errcode) => {
      on.signedOut(errcode)
    },
    onSilence: () => {
      on.silence()
    },
  })
  return {
    ports,
    db,
    api,
    life,
    newId,
    on,
    useToken: (next) => {
      token = next
    },
  }
}
