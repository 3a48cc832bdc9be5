/** What every part of the engine works with; made once when an account is opened. */
import type { Identity } from './account/account-record.ts'
import type { ApiClient } from './http/api-client.ts'
import type { Lifetime } from './lifetime.ts'
import type { Clock, Log, Random, Store, Transport } from './ports.ts'
import type { Crypto } from '../protocol/index.ts'
import type { Database } from './store/database.ts'
import type { Publisher } from './views/publisher.ts'

export interface EnginePorts {
  readonly crypto: Crypto
  /** Already keyed to one account's vault. */
  readonly store: Store
  /** Bound to one homeserver. */
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface Context {
  readonly crypto: Crypto
  readonly clock: Clock
  readonly log: Log
  readonly random: (length: number) => Uint8Array
  readonly db: Database
  readonly api: ApiClient
  readonly life: Lifetime
  readonly publish: Publisher
  readonly me: Identity
  /** A fresh id of 16 random bytes. */
  readonly newId: () => string
}
