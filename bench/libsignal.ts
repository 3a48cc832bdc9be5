/**
 * libsignal-client's contestants. Its stores are asynchronous by interface; these serialize what they are given
 * and keep the record itself, as ours do and as Signal's desktop client does, or else read it back from the
 * bytes each time.
 */
import { timed } from './contest.ts'
import type { Contestant } from './contest.ts'
import type { Memory } from './eccp-device.ts'
import { mustBePayload, PAYLOAD } from './payload.ts'

type Bytes = Uint8Array<ArrayBuffer>
interface Serialized {
  serialize(): Bytes
}
interface Kind<T> {
  deserialize(bytes: Bytes): T
}
interface PublicKey extends Serialized {
  equals(other: PublicKey): boolean
}
interface PrivateKey {
  getPublicKey(): PublicKey
  sign(message: Bytes): Bytes
}
interface IdentityKeyPair {
  readonly publicKey: PublicKey
  readonly privateKey: PrivateKey
}
interface KemKeyPair {
  getPublicKey(): Serialized
}
interface Address {
  toString(): string
}
interface Message extends Serialized {
  type(): number
}
type Record = Serialized
type SignedRecord = (id: number, time: number, ...rest: unknown[]) => Record

/** What of the library is used; its own types are at hand only where it is installed. */
interface Libsignal {
  readonly IdentityKeyPair: { generate(): IdentityKeyPair }
  readonly PrivateKey: { generate(): PrivateKey }
  readonly KEMKeyPair: { generate(): KemKeyPair }
  readonly ProtocolAddress: { new: (name: string, device: number) => Address }
  readonly SessionRecord: Kind<Record>
  readonly SenderKeyRecord: Kind<Record>
  readonly PreKeyRecord: Kind<Record> & {
    new: (id: number, key: PublicKey, secret: PrivateKey) => Record
  }
  readonly SignedPreKeyRecord: Kind<Record> & { new: SignedRecord }
  readonly KyberPreKeyRecord: Kind<Record> & { new: SignedRecord }
  readonly PreKeyBundle: { new: (...parts: unknown[]) => object }
  readonly SignalMessage: Kind<object>
  readonly PreKeySignalMessage: Kind<object>
  readonly SenderKeyDistributionMessage: {
    create(sender: Address, id: string, store: object): Promise<object>
  }
  processPreKeyBundle(bundle: object, ...parts: unknown[]): Promise<void>
  signalEncrypt(message: Bytes, ...parts: unknown[]): Promise<Message>
  signalDecrypt(message: object, ...parts: unknown[]): Promise<Bytes>
  signalDecryptPreKey(message: object, ...parts: unknown[]): Promise<Bytes>
  processSenderKeyDistributionMessage(from: Address, message: object, store: object): Promise<void>
  groupEncrypt(sender: Address, id: string, store: object, message: Bytes): Promise<Message>
  groupDecrypt(sender: Address, store: object, message: Bytes): Promise<Bytes>
}

const PREKEY_MESSAGE = 3
const DISTRIBUTION = 'c0ffee00-0000-4000-8000-000000000001'

/** Prekeys of one device, and what a server hands out of them. */
const SIGNED_ID = 1
const KYBER_ID = 1

export class LibsignalContestants {
  readonly #lib: Libsignal
  readonly #name: string

  constructor(lib: unknown, version: string) {
    this.#lib = lib as Libsignal
    this.#name = `libsignal-client ${version}`
  }

  async sessionEncrypt(memory?: Memory): Promise<Contestant> {
    const { alice, bob } = await this.#acquainted(memory)
    return {
      name: this.#name,
      async run(times) {
        const sent: Sent[] = []
        const time = await timed(async () => {
          for (let n = 0; n < times; n++) sent.push(await alice.encrypt(bob))
        })
        for (const message of sent) await bob.decrypt(alice, message)
        return time
      },
    }
  }

  async sessionDecrypt(memory?: Memory): Promise<Contestant> {
    const { alice, bob } = await this.#acquainted(memory)
    return {
      name: this.#name,
      async run(times) {
        const sent: Sent[] = []
        for (let n = 0; n < times; n++) sent.push(await alice.encrypt(bob))
        return timed(async () => {
          for (const message of sent) await bob.decrypt(alice, message)
        })
      },
    }
  }

  async pingPong(): Promise<Contestant> {
    const { alice, bob } = await this.#acquainted()
    return {
      name: this.#name,
      run: (times) =>
        timed(async () => {
          for (let n = 0; n < times; n += 2) {
            await bob.decrypt(alice, await alice.encrypt(bob))
            await alice.decrypt(bob, await bob.encrypt(alice))
          }
        }),
    }
  }

  setup(): Contestant {
    const alice = new Device(this.#lib, 'alice')
    const bob = new Device(this.#lib, 'bob')
    return {
      name: this.#name,
      async run(times) {
        const bundles = bob.bundles(times)
        return timed(async () => {
          for (const bundle of bundles) {
            alice.forget(bob)
            bob.forget(alice)
            await alice.initiate(bob, bundle)
            await bob.decrypt(alice, await alice.encrypt(bob))
          }
        })
      },
    }
  }

  senderKeyEncrypt(): Contestant {
    const group = new Group(this.#lib)
    return {
      name: this.#name,
      async run(times) {
        await group.prepare()
        const sent: Bytes[] = []
        const time = await timed(async () => {
          for (let n = 0; n < times; n++) sent.push(await group.encrypt())
        })
        for (const message of sent) await group.decrypt(message)
        return time
      },
    }
  }

  senderKeyDecrypt(): Contestant {
    const group = new Group(this.#lib)
    return {
      name: this.#name,
      async run(times) {
        await group.prepare()
        const sent: Bytes[] = []
        for (let n = 0; n < times; n++) sent.push(await group.encrypt())
        return timed(async () => {
          for (const message of sent) await group.decrypt(message)
        })
      },
    }
  }

  /** One plain message to each of `count` sessions, as their fan-out does. */
  async fanOut(count: number): Promise<Contestant> {
    const alice = new Device(this.#lib, 'alice')
    const others = Array.from({ length: count }, (_, at) => new Device(this.#lib, `bob ${at}`))
    for (const other of others) await acquaint(alice, other)
    return {
      name: `${this.#name}, ${String(count)} encrypts`,
      async run(times) {
        const sent: Sent[][] = []
        const time = await timed(async () => {
          for (let n = 0; n < times; n++) {
            const messages: Sent[] = []
            for (const other of others) messages.push(await alice.encrypt(other))
            sent.push(messages)
          }
        })
        for (const messages of sent)
          for (const [at, message] of messages.entries()) await others[at]?.decrypt(alice, message)
        return time
      },
    }
  }

  async #acquainted(memory?: Memory): Promise<{ alice: Device; bob: Device }> {
    const alice = new Device(this.#lib, 'alice', memory)
    const bob = new Device(this.#lib, 'bob', memory)
    await acquaint(alice, bob)
    return { alice, bob }
  }
}

async function acquaint(alice: Device, bob: Device): Promise<void> {
  const [bundle] = bob.bundles(1)
  if (bundle === undefined) throw new Error('no prekeys')
  await alice.initiate(bob, bundle)
  await bob.decrypt(alice, await alice.encrypt(bob))
  await alice.decrypt(bob, await bob.encrypt(alice))
}

interface Sent {
  readonly type: number
  readonly bytes: Bytes
}

class Device {
  readonly address: Address
  readonly #lib: Libsignal
  readonly #identity: IdentityKeyPair
  readonly #sessions: Records
  readonly #identities: Identities
  readonly #prekeys: Prekeys

  constructor(lib: Libsignal, name: string, memory: Memory = 'kept') {
    this.#lib = lib
    this.address = lib.ProtocolAddress.new(name, 1)
    this.#identity = lib.IdentityKeyPair.generate()
    this.#sessions = new Records(lib.SessionRecord, memory)
    this.#identities = new Identities(this.#identity)
    this.#prekeys = new Prekeys(lib)
  }

  /** Signed prekey, KEM prekey, and a one-time prekey of its own for each bundle. */
  bundles(count: number): object[] {
    const { PrivateKey, KEMKeyPair, PreKeyBundle } = this.#lib
    const { privateKey, publicKey } = this.#identity
    const signed = PrivateKey.generate()
    const signedPublic = signed.getPublicKey()
    const signature = privateKey.sign(signedPublic.serialize())
    const kyber = KEMKeyPair.generate()
    const kyberSignature = privateKey.sign(kyber.getPublicKey().serialize())
    this.#prekeys.keep(signed, signature, kyber, kyberSignature)
    return Array.from({ length: count }, (_, at) => {
      const oneTime = PrivateKey.generate()
      this.#prekeys.keepOneTime(at + 1, oneTime)
      return PreKeyBundle.new(
        1,
        1,
        at + 1,
        oneTime.getPublicKey(),
        SIGNED_ID,
        signedPublic,
        signature,
        publicKey,
        KYBER_ID,
        kyber.getPublicKey(),
        kyberSignature,
      )
    })
  }

  async initiate(peer: Device, bundle: object): Promise<void> {
    await this.#lib.processPreKeyBundle(
      bundle,
      peer.address,
      this.address,
      this.#sessions,
      this.#identities,
    )
  }

  forget(peer: Device): void {
    this.#sessions.delete(peer.address)
  }

  async encrypt(peer: Device): Promise<Sent> {
    const stores = [peer.address, this.address, this.#sessions, this.#identities]
    const message = await this.#lib.signalEncrypt(PAYLOAD, ...stores)
    return { type: message.type(), bytes: message.serialize() }
  }

  async decrypt(peer: Device, { type, bytes }: Sent): Promise<void> {
    const { SignalMessage, PreKeySignalMessage } = this.#lib
    const stores = [peer.address, this.address, this.#sessions, this.#identities]
    const prekeys = this.#prekeys
    const plaintext =
      type === PREKEY_MESSAGE
        ? await this.#lib.signalDecryptPreKey(
            PreKeySignalMessage.deserialize(bytes),
            ...stores,
            prekeys,
            prekeys,
            prekeys,
          )
        : await this.#lib.signalDecrypt(SignalMessage.deserialize(bytes), ...stores)
    mustBePayload(plaintext)
  }
}

/** Session and sender key records. */
class Records {
  readonly #kind: Kind<Record>
  readonly #memory: Memory
  readonly #records = new Map<string, Bytes>()
  readonly #kept = new Map<string, Record>()

  constructor(kind: Kind<Record>, memory: Memory = 'kept') {
    this.#kind = kind
    this.#memory = memory
  }

  saveSession(address: Address, record: Record): Promise<void> {
    this.#records.set(address.toString(), record.serialize())
    if (this.#memory === 'kept') this.#kept.set(address.toString(), record)
    return Promise.resolve()
  }

  getSession(address: Address): Promise<Record | null> {
    const kept = this.#kept.get(address.toString())
    if (kept !== undefined) return Promise.resolve(kept)
    const bytes = this.#records.get(address.toString())
    return Promise.resolve(bytes === undefined ? null : this.#kind.deserialize(bytes))
  }

  saveSenderKey(address: Address, _id: string, record: Record): Promise<void> {
    return this.saveSession(address, record)
  }

  getSenderKey(address: Address): Promise<Record | null> {
    return this.getSession(address)
  }

  delete(address: Address): void {
    this.#records.delete(address.toString())
    this.#kept.delete(address.toString())
  }
}

class Identities {
  readonly #own: IdentityKeyPair
  readonly #known = new Map<string, PublicKey>()

  constructor(own: IdentityKeyPair) {
    this.#own = own
  }

  getIdentityKeyPair(): Promise<IdentityKeyPair> {
    return Promise.resolve(this.#own)
  }

  getLocalRegistrationId(): Promise<number> {
    return Promise.resolve(1)
  }

  /** 0: new or unchanged. */
  saveIdentity(address: Address, key: PublicKey): Promise<number> {
    this.#known.set(address.toString(), key)
    return Promise.resolve(0)
  }

  isTrustedIdentity(address: Address, key: PublicKey): Promise<boolean> {
    return Promise.resolve(this.#known.get(address.toString())?.equals(key) ?? true)
  }

  getIdentity(address: Address): Promise<PublicKey | null> {
    return Promise.resolve(this.#known.get(address.toString()) ?? null)
  }
}

class Prekeys {
  readonly #lib: Libsignal
  readonly #oneTime = new Map<number, Bytes>()
  #signed: Bytes | null = null
  #kyber: Bytes | null = null

  constructor(lib: Libsignal) {
    this.#lib = lib
  }

  keep(signed: PrivateKey, signature: Bytes, kyber: KemKeyPair, kyberSignature: Bytes): void {
    const { SignedPreKeyRecord, KyberPreKeyRecord } = this.#lib
    const now = Date.now()
    this.#signed = SignedPreKeyRecord.new(
      SIGNED_ID,
      now,
      signed.getPublicKey(),
      signed,
      signature,
    ).serialize()
    this.#kyber = KyberPreKeyRecord.new(KYBER_ID, now, kyber, kyberSignature).serialize()
  }

  keepOneTime(id: number, secret: PrivateKey): void {
    const record = this.#lib.PreKeyRecord.new(id, secret.getPublicKey(), secret)
    this.#oneTime.set(id, record.serialize())
  }

  getPreKey(id: number): Promise<Record> {
    return Promise.resolve(read(this.#lib.PreKeyRecord, this.#oneTime.get(id) ?? null))
  }

  removePreKey(id: number): Promise<void> {
    this.#oneTime.delete(id)
    return Promise.resolve()
  }

  getSignedPreKey(): Promise<Record> {
    return Promise.resolve(read(this.#lib.SignedPreKeyRecord, this.#signed))
  }

  getKyberPreKey(): Promise<Record> {
    return Promise.resolve(read(this.#lib.KyberPreKeyRecord, this.#kyber))
  }

  markKyberPreKeyUsed(): Promise<void> {
    return Promise.resolve()
  }
}

function read(kind: Kind<Record>, bytes: Bytes | null): Record {
  if (bytes === null) throw new Error('unknown prekey')
  return kind.deserialize(bytes)
}

/** One who writes with a sender key, and one who reads. */
class Group {
  readonly #lib: Libsignal
  readonly #sender: Address
  #writer: Records
  #reader: Records

  constructor(lib: Libsignal) {
    this.#lib = lib
    this.#sender = lib.ProtocolAddress.new('alice', 1)
    this.#writer = new Records(lib.SenderKeyRecord)
    this.#reader = new Records(lib.SenderKeyRecord)
  }

  async prepare(): Promise<void> {
    const { SenderKeyDistributionMessage, SenderKeyRecord } = this.#lib
    this.#writer = new Records(SenderKeyRecord)
    this.#reader = new Records(SenderKeyRecord)
    const message = await SenderKeyDistributionMessage.create(
      this.#sender,
      DISTRIBUTION,
      this.#writer,
    )
    await this.#lib.processSenderKeyDistributionMessage(this.#sender, message, this.#reader)
  }

  async encrypt(): Promise<Bytes> {
    const { groupEncrypt } = this.#lib
    return (await groupEncrypt(this.#sender, DISTRIBUTION, this.#writer, PAYLOAD)).serialize()
  }

  async decrypt(message: Bytes): Promise<void> {
    mustBePayload(await this.#lib.groupDecrypt(this.#sender, this.#reader, message))
  }
}
