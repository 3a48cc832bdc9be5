/**
 * Olm and Megolm of matrix-sdk-crypto-wasm, which offers them through its OlmMachine alone: what is
 * measured includes that machine's own bookkeeping, in its own store in memory.
 */
import { timed } from './contest.ts'
import type { Contestant } from './contest.ts'
import { mustBeText, TEXT } from './payload.ts'

interface MachineRequest {
  readonly id: string
  readonly type: number
  readonly body: string
}
interface PeerDevice {
  encryptToDeviceEvent(type: string, content: object, strategy: object): Promise<string>
}
interface OlmMachine {
  outgoingRequests(): Promise<MachineRequest[]>
  markRequestAsSent(id: string, type: number, response: string): Promise<unknown>
  updateTrackedUsers(users: object[]): Promise<void>
  getMissingSessions(users: object[]): Promise<MachineRequest | null>
  getDevice(user: object, device: object): Promise<PeerDevice | undefined>
  shareRoomKey(room: object, users: object[], settings: object): Promise<MachineRequest[]>
  encryptRoomEvent(room: object, type: string, content: string): Promise<string>
  decryptRoomEvent(event: string, room: object, settings: object): Promise<{ event: string }>
  receiveSyncChanges(
    events: string,
    devices: object,
    counts: Map<string, number>,
    fallback: undefined,
    settings: object,
  ): Promise<{ rawEvent: string }[]>
}
interface EncryptionSettings {
  rotationPeriodMessages: bigint
  sharingStrategy: object
}

/** What of the library is used; its own types are at hand only where it is installed. */
interface MatrixCrypto {
  initAsync(): Promise<void>
  readonly OlmMachine: { initialize(user: object, device: object): Promise<OlmMachine> }
  readonly UserId: new (id: string) => object
  readonly DeviceId: new (id: string) => object
  readonly RoomId: new (id: string) => object
  readonly DeviceLists: new () => object
  readonly EncryptionSettings: new () => EncryptionSettings
  readonly DecryptionSettings: new (requirement: number) => object
  readonly CollectStrategy: { allDevices(): object }
  readonly TrustRequirement: { readonly Untrusted: number }
  readonly RequestType: Readonly<Record<'KeysUpload' | 'KeysQuery' | 'KeysClaim', number>>
}

const ROOM = '!bench:bench.example'

export class MatrixContestants {
  readonly #lib: MatrixCrypto
  readonly #name: string

  private constructor(lib: MatrixCrypto, version: string) {
    this.#lib = lib
    this.#name = `matrix-sdk-crypto-wasm ${version}`
  }

  static async load(library: unknown, version: string): Promise<MatrixContestants> {
    const lib = library as MatrixCrypto
    await lib.initAsync()
    return new MatrixContestants(lib, version)
  }

  async olmEncrypt(): Promise<Contestant> {
    const { alice, bob } = await acquainted(this.#lib)
    return {
      name: `${this.#name}, Olm`,
      async run(times) {
        const sent: string[] = []
        const time = await timed(async () => {
          for (let n = 0; n < times; n++) sent.push(await alice.encrypt(bob))
        })
        for (const message of sent) await bob.receive(alice, message)
        return time
      },
    }
  }

  async olmDecrypt(): Promise<Contestant> {
    const { alice, bob } = await acquainted(this.#lib)
    return {
      name: `${this.#name}, Olm`,
      async run(times) {
        const sent: string[] = []
        for (let n = 0; n < times; n++) sent.push(await alice.encrypt(bob))
        return timed(async () => {
          for (const message of sent) await bob.receive(alice, message)
        })
      },
    }
  }

  async megolmEncrypt(): Promise<Contestant> {
    const { alice, bob } = await inOneRoom(this.#lib)
    return {
      name: `${this.#name}, Megolm`,
      async run(times) {
        const sent: string[] = []
        const time = await timed(async () => {
          for (let n = 0; n < times; n++) sent.push(await alice.say())
        })
        for (const message of sent) await bob.hear(alice, message)
        return time
      },
    }
  }

  async megolmDecrypt(): Promise<Contestant> {
    const { alice, bob } = await inOneRoom(this.#lib)
    return {
      name: `${this.#name}, Megolm`,
      async run(times) {
        const sent: string[] = []
        for (let n = 0; n < times; n++) sent.push(await alice.say())
        return timed(async () => {
          for (const message of sent) await bob.hear(alice, message)
        })
      },
    }
  }
}

class Machine {
  readonly userId: string
  readonly deviceId: string
  readonly #lib: MatrixCrypto
  readonly #machine: OlmMachine
  readonly #room: object
  #events = 0

  private constructor(lib: MatrixCrypto, machine: OlmMachine, name: string) {
    this.#lib = lib
    this.#machine = machine
    this.userId = `@${name}:bench.example`
    this.deviceId = name.toUpperCase()
    this.#room = new lib.RoomId(ROOM)
  }

  static async start(lib: MatrixCrypto, name: string): Promise<Machine> {
    const user = new lib.UserId(`@${name}:bench.example`)
    const device = new lib.DeviceId(name.toUpperCase())
    return new Machine(lib, await lib.OlmMachine.initialize(user, device), name)
  }

  /** A new one every time: what takes a list of users takes them away. */
  get user(): object {
    return new this.#lib.UserId(this.userId)
  }

  /** Device keys and one-time keys, as the server would store them. */
  async publish(): Promise<{ device: object; oneTime: Record<string, object> }> {
    const { KeysUpload } = this.#lib.RequestType
    for (const { id, type, body } of await this.#machine.outgoingRequests()) {
      if (type !== KeysUpload) continue
      const { device_keys, one_time_keys } = JSON.parse(body) as {
        device_keys: object
        one_time_keys: Record<string, object>
      }
      const count = Object.keys(one_time_keys).length
      const response = { one_time_key_counts: { signed_curve25519: count } }
      await this.#machine.markRequestAsSent(id, type, JSON.stringify(response))
      return { device: device_keys, oneTime: one_time_keys }
    }
    throw new Error('nothing to publish')
  }

  /** Learns the peer's device. */
  async learn(peer: Machine, device: object): Promise<void> {
    await this.#machine.updateTrackedUsers([peer.user])
    for (const { id, type } of await this.#machine.outgoingRequests()) {
      if (type !== this.#lib.RequestType.KeysQuery) continue
      const device_keys = { [peer.userId]: { [peer.deviceId]: device } }
      await this.#machine.markRequestAsSent(id, type, JSON.stringify({ device_keys, failures: {} }))
    }
  }

  async claim(peer: Machine, oneTime: Record<string, object>): Promise<void> {
    const request = await this.#machine.getMissingSessions([peer.user])
    const [key] = Object.entries(oneTime)
    if (request === null || key === undefined) throw new Error('no session to claim')
    const one_time_keys = { [peer.userId]: { [peer.deviceId]: Object.fromEntries([key]) } }
    const response = JSON.stringify({ one_time_keys, failures: {} })
    await this.#machine.markRequestAsSent(request.id, request.type, response)
  }

  async encrypt(peer: Machine): Promise<string> {
    const device = await this.#machine.getDevice(peer.user, new this.#lib.DeviceId(peer.deviceId))
    if (device === undefined) throw new Error('unknown device')
    const strategy = this.#lib.CollectStrategy.allDevices()
    return device.encryptToDeviceEvent('bench.message', { text: TEXT }, strategy)
  }

  async receive(peer: Machine, content: string): Promise<void> {
    const [event] = await this.#sync(peer, content)
    const { content: said } = JSON.parse(event?.rawEvent ?? '{}') as { content?: { text?: string } }
    mustBeText(said?.text)
  }

  /** Gives the room's key to `peer`. */
  async share(peer: Machine): Promise<void> {
    const settings = new this.#lib.EncryptionSettings()
    // One session throughout, as a new one after 100 messages would be measured along.
    settings.rotationPeriodMessages = 1_000_000n
    settings.sharingStrategy = this.#lib.CollectStrategy.allDevices()
    const requests = await this.#machine.shareRoomKey(this.#room, [peer.user], settings)
    for (const { id, type, body } of requests) {
      const { messages } = JSON.parse(body) as {
        messages: Record<string, Record<string, object>>
      }
      const content = messages[peer.userId]?.[peer.deviceId]
      if (content === undefined) throw new Error('no room key')
      await peer.#sync(this, JSON.stringify(content))
      await this.#machine.markRequestAsSent(id, type, '{}')
    }
  }

  async say(): Promise<string> {
    const content = JSON.stringify({ msgtype: 'm.text', body: TEXT })
    return this.#machine.encryptRoomEvent(this.#room, 'm.room.message', content)
  }

  async hear(peer: Machine, content: string): Promise<void> {
    const event = JSON.stringify({
      type: 'm.room.encrypted',
      event_id: `$${String(this.#events++)}:bench.example`,
      room_id: ROOM,
      sender: peer.userId,
      origin_server_ts: 1_700_000_000_000,
      content: JSON.parse(content) as object,
    })
    const decrypted = await this.#machine.decryptRoomEvent(event, this.#room, this.#settings())
    const { content: said } = JSON.parse(decrypted.event) as { content?: { body?: string } }
    mustBeText(said?.body)
  }

  /** Taken away like a list of users. */
  #settings(): object {
    const { DecryptionSettings, TrustRequirement } = this.#lib
    return new DecryptionSettings(TrustRequirement.Untrusted)
  }

  #sync(peer: Machine, content: string): Promise<{ rawEvent: string }[]> {
    const event = { type: 'm.room.encrypted', sender: peer.userId, content: JSON.parse(content) }
    return this.#machine.receiveSyncChanges(
      JSON.stringify([event]),
      new this.#lib.DeviceLists(),
      new Map([['signed_curve25519', 50]]),
      undefined,
      this.#settings(),
    )
  }
}

/** Two devices that know each other; Alice has heard Bob, so her messages carry no prekey part. */
async function acquainted(lib: MatrixCrypto): Promise<{ alice: Machine; bob: Machine }> {
  const alice = await Machine.start(lib, 'alice')
  const bob = await Machine.start(lib, 'bob')
  const ofAlice = await alice.publish()
  const ofBob = await bob.publish()
  await alice.learn(bob, ofBob.device)
  await bob.learn(alice, ofAlice.device)
  await alice.claim(bob, ofBob.oneTime)
  await bob.receive(alice, await alice.encrypt(bob))
  await alice.receive(bob, await bob.encrypt(alice))
  return { alice, bob }
}

async function inOneRoom(lib: MatrixCrypto): Promise<{ alice: Machine; bob: Machine }> {
  const both = await acquainted(lib)
  await both.alice.share(both.bob)
  return both
}
