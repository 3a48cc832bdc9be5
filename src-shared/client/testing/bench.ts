/** What a part of the engine needs around it in a test: a store, a clock, a node, and people with keys. */
import {
  addDevice,
  createGenesis,
  createNobleCrypto,
  deviceKeysOf,
  draftAddDevice,
  manifestEntryHash,
  newDeviceId,
  recoverySecretsFromEntropy,
  removeDevices,
  signEntry,
  verifyManifest,
} from '../../protocol/index.ts'
import type { DeviceSecrets, ManifestState, SignedEntry } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import { ApiClient } from '../http/api-client.ts'
import { Lifetime } from '../lifetime.ts'
import { Database } from '../store/database.ts'
import { Publisher } from '../views/publisher.ts'
import { FakeNode } from './fake-node.ts'
import { MemoryStore } from './memory-store.ts'
import { seededRandom, SimulatedClock } from './simulation.ts'

export const crypto = createNobleCrypto()

export interface Bench {
  readonly ctx: Context
  readonly node: FakeNode
  readonly clock: SimulatedClock
  readonly store: MemoryStore
  readonly me: Person
  readonly events: string[]
}

export function bench(seed = 1): Bench {
  const source = seededRandom(seed)
  const random = (length: number): Uint8Array => source.bytes(length)
  const me = new Person('me', random)
  const node = new FakeNode()
  const clock = new SimulatedClock()
  const store = new MemoryStore()
  const events: string[] = []
  const log: Context['log'] = (event) => events.push(event)
  let ids = 0
  const newId = (): string => `id-${String(ids++)}`
  const publish = new Publisher(log)
  const ctx: Context = {
    crypto,
    clock,
    log,
    random,
    newId,
    publish,
    life: new Lifetime(clock),
    db: new Database({ store, log, newId, onFull: () => undefined }),
    api: new ApiClient({ transport: node, log, token: () => 'token' }),
    me: {
      member: me.member,
      userId: me.userId,
      serverName: 'a.test',
      device: me.device.id,
      secrets: me.device,
      ed25519: crypto.ed25519PublicKey(me.device.ed25519),
      x25519: crypto.x25519PublicKey(me.device.x25519),
    },
  }
  return { ctx, node, clock, store, me, events }
}

/** An account as its owner holds it. */
export class Person {
  readonly userId: string
  readonly device: DeviceSecrets
  readonly member: string
  entries: SignedEntry[]
  readonly #random: (length: number) => Uint8Array

  constructor(name: string, random: (length: number) => Uint8Array) {
    this.#random = random
    this.userId = `@${name}:a.test`
    this.device = this.newSecrets()
    const genesis = createGenesis(crypto, {
      userId: this.userId,
      nonce: random(32),
      device: this.device,
      recovery: recoverySecretsFromEntropy(crypto, random(32)),
      bot: false,
    })
    this.member = manifestEntryHash(crypto, genesis.entry)
    this.entries = [genesis]
  }

  newSecrets(): DeviceSecrets {
    const random = this.#random
    return { id: newDeviceId(random), ed25519: random(32), x25519: random(32), minSuite: 1 }
  }

  get state(): ManifestState {
    const verified = verifyManifest(crypto, this.entries)
    if (!verified.ok) throw new RangeError(verified.code)
    return verified.state
  }

  add(secrets = this.newSecrets()): DeviceSecrets {
    const draft = draftAddDevice(this.state, this.device.id, deviceKeysOf(crypto, secrets))
    const possession = signEntry(crypto, 'device', secrets.ed25519, draft)
    this.entries = [...this.entries, addDevice(crypto, draft, this.device, possession)]
    return secrets
  }

  remove(...devices: string[]): void {
    this.entries = [...this.entries, removeDevices(crypto, this.state, this.device, devices)]
  }

  /** What a node answers for the log from `from` on. */
  answer(path: string, entries = this.entries): unknown {
    const from = Number(/from=(\d+)/.exec(path)?.[1] ?? 0)
    const head = entries.at(-1)?.entry ?? {}
    return {
      user_id: this.userId,
      member: this.member,
      head: manifestEntryHash(crypto, head),
      height: entries.length - 1,
      entries: entries.slice(from),
    }
  }
}
