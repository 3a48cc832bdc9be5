/**
 * A device of ours as the benchmark drives it: the native crypto adapter, and a store in memory that is
 * written to as the engine does, the state as JSON bytes after every step. The decoded value is kept, as
 * the engine keeps it, or else read back from the bytes and checked before every step.
 */
import {
  decryptPairwise,
  EMPTY_SESSION_SET,
  encryptPairwise,
  fromUtf8,
  generatePrekeys,
  initiateSession,
  markPublished,
  parseSessionSet,
  pendingUpload,
  ratchetMessageSchema,
  toBase64Url,
  toUtf8,
  unwrapKey,
  wrapKey,
  wrapSchema,
} from '../src-shared/protocol/index.ts'
import type {
  LocalDevice,
  PeerDevice,
  PrekeyBundle,
  PrekeyState,
  RatchetMessage,
  SealedEnvelope,
  SessionSet,
  Wrap,
} from '../src-shared/protocol/index.ts'
import { createNativeCrypto } from '../src-platform/crypto/native-crypto.ts'
import { createSystemRandom } from '../src-platform/system-random.ts'
import { mustBePayload, PAYLOAD } from './payload.ts'

export const crypto = createNativeCrypto()
/** Prekeys are made long before they are used: the adapter that uses them has not seen them yet. */
const maker = createNativeCrypto()
const system = createSystemRandom()
export const random = (length: number): Uint8Array => system.bytes(length)
const CONTEXT = toUtf8('bench')
/** One-time prekeys that a device keeps, as in the engine. */
const STOCK = 100

/** Where the engine would hand bytes to the vault. */
class Disk {
  readonly #records = new Map<string, Uint8Array>()

  write(key: string, value: unknown): void {
    this.#records.set(key, toUtf8(JSON.stringify(value)))
  }

  read(key: string): unknown {
    const bytes = this.#records.get(key)
    return bytes === undefined ? undefined : JSON.parse(fromUtf8(bytes))
  }
}

/** What a device does with its state between two steps. */
export type Memory = 'kept' | 'read back'

export class Device {
  readonly local: LocalDevice
  prekeys: PrekeyState
  readonly #sets = new Map<string, SessionSet>()
  readonly #disk = new Disk()
  readonly #memory: Memory

  constructor(memory: Memory = 'kept') {
    this.#memory = memory
    const ed25519Secret = random(32)
    const x25519Secret = random(32)
    this.local = {
      member: toBase64Url(random(32)),
      device: toBase64Url(random(12)),
      head: toBase64Url(random(32)),
      ed25519Secret,
      ed25519: crypto.ed25519PublicKey(ed25519Secret),
      x25519Secret,
      x25519: crypto.x25519PublicKey(x25519Secret),
      minSuite: 2,
    }
    this.prekeys = this.#freshPrekeys(STOCK)
  }

  get peer(): PeerDevice {
    const { member, device, head, ed25519, x25519, minSuite } = this.local
    return { member, device, head, ed25519, x25519, minSuite }
  }

  #freshPrekeys(stock: number): PrekeyState {
    return generatePrekeys({ crypto: maker, random, local: this.local, now: 0, stock })
  }

  /** As a node hands them out: each with a one-time prekey of its own. */
  bundles(): readonly PrekeyBundle[] {
    this.prekeys = this.#freshPrekeys(STOCK)
    const upload = pendingUpload(this.prekeys)
    if (upload?.signed === undefined || upload.kem === undefined) throw new Error('no prekeys')
    const { signed, kem } = upload
    this.prekeys = markPublished(this.prekeys, upload)
    const { member, device: id, minSuite: min_suite } = this.local
    const ed25519 = toBase64Url(this.local.ed25519)
    const device = { member, id, ed25519, x25519: toBase64Url(this.local.x25519), min_suite }
    return (upload.one_time ?? []).map((one_time) => ({ device, signed, kem, one_time }))
  }

  initiate(peer: PeerDevice, bundle: PrekeyBundle): void {
    const initiated = initiateSession({
      crypto,
      random,
      set: EMPTY_SESSION_SET,
      local: this.local,
      peer,
      bundle,
    })
    if (!initiated.ok) throw new Error(initiated.code)
    this.#keep(peer, initiated.set)
  }

  forget(peer: PeerDevice): void {
    this.#sets.delete(peer.device)
  }

  encrypt(peer: PeerDevice): Uint8Array {
    const set = this.#set(peer)
    const encrypted = encryptPairwise({ crypto, random, set, plaintext: PAYLOAD, context: CONTEXT })
    if (!encrypted.ok) throw new Error(encrypted.code)
    this.#keep(peer, encrypted.set)
    const { session, message } = encrypted
    return toUtf8(JSON.stringify({ session, message }))
  }

  decrypt(peer: PeerDevice, arrived: Uint8Array): void {
    const { session, message } = readMessage(arrived)
    const { local, prekeys } = this
    const set = this.#set(peer)
    const context = CONTEXT
    const opened = decryptPairwise({ crypto, set, prekeys, local, peer, session, message, context })
    if (!opened.ok) throw new Error(opened.code)
    this.#keep(peer, opened.set)
    if (opened.prekeys !== prekeys) {
      this.prekeys = opened.prekeys
      this.#disk.write('prekeys', opened.prekeys)
    }
    mustBePayload(opened.plaintext)
  }

  wrap(peer: PeerDevice, envelope: string, contentKey: Uint8Array): Wrap {
    const wrapped = wrapKey({ crypto, random, set: this.#set(peer), peer, envelope, contentKey })
    if (!wrapped.ok) throw new Error(wrapped.code)
    this.#keep(peer, wrapped.set)
    return wrapped.wrap
  }

  /** Whether the wrap at `at` gives the content key of `sealed`. */
  unwrap(peer: PeerDevice, sealed: SealedEnvelope, bytes: Uint8Array, at: number): void {
    const { wraps } = JSON.parse(fromUtf8(bytes)) as { wraps: readonly unknown[] }
    const wrap = wrapSchema.parse(wraps[at])
    const { local, prekeys } = this
    const set = this.#set(peer)
    const opened = unwrapKey({ crypto, set, prekeys, local, peer, envelope: sealed.id, wrap })
    if (!opened.ok) throw new Error(opened.code)
    this.#keep(peer, opened.set)
    if (!crypto.equal(opened.contentKey, sealed.contentKey)) throw new Error('another content key')
  }

  write(key: string, value: unknown): void {
    this.#disk.write(key, value)
  }

  #set(peer: PeerDevice): SessionSet {
    if (this.#memory === 'read back') {
      const record = this.#disk.read(peer.device) as { readonly set: unknown } | undefined
      const set = record === undefined ? EMPTY_SESSION_SET : parseSessionSet(record.set)
      if (set === null) throw new Error('not a session set')
      return set
    }
    return this.#sets.get(peer.device) ?? EMPTY_SESSION_SET
  }

  #keep(peer: PeerDevice, set: SessionSet): void {
    this.#disk.write(peer.device, { v: 1, set, resetAt: null })
    this.#sets.set(peer.device, set)
  }
}

function readMessage(arrived: Uint8Array): { session: string; message: RatchetMessage } {
  const value = JSON.parse(fromUtf8(arrived)) as { session: unknown; message: unknown }
  if (typeof value.session !== 'string') throw new Error('not a message')
  return { session: value.session, message: ratchetMessageSchema.parse(value.message) }
}

/** Two devices that have heard each other. */
export function acquainted(memory?: Memory): { alice: Device; bob: Device } {
  const alice = new Device(memory)
  const bob = new Device(memory)
  acquaint(alice, bob)
  return { alice, bob }
}

export function acquaint(alice: Device, bob: Device): void {
  const [bundle] = bob.bundles()
  if (bundle === undefined) throw new Error('no prekeys')
  alice.initiate(bob.peer, bundle)
  bob.decrypt(alice.peer, alice.encrypt(bob.peer))
  alice.decrypt(bob.peer, bob.encrypt(alice.peer))
}
