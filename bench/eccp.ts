/** This project's contestants. What is measured: from the plaintext to the bytes that leave, and back. */
import {
  acceptChain,
  chainDistributionSchema,
  formatRoomId,
  fromBase64Url,
  fromUtf8,
  noReceivingChains,
  openEnvelope,
  sealEnvelope,
  shareChain,
  startSendingChain,
  takeChainKey,
  takeContentKey,
  toBase64Url,
  toUtf8,
  verifyEnvelope,
} from '../src-shared/protocol/index.ts'
import type {
  GivenContentKey,
  JsonObject,
  LocalDevice,
  ReceivingChains,
  SealedEnvelope,
  SendingChain,
} from '../src-shared/protocol/index.ts'
import { timed } from './contest.ts'
import type { Contestant } from './contest.ts'
import { acquaint, acquainted, crypto, Device, random } from './eccp-device.ts'
import type { Memory } from './eccp-device.ts'
import { mustBeText, TEXT } from './payload.ts'

const NAME = 'ECCP'
const ROOM = formatRoomId(toBase64Url(random(32)), 'bench.example')
const ROSTER = toBase64Url(random(32))

export function sessionEncrypt(memory?: Memory): Contestant {
  const { alice, bob } = acquainted(memory)
  return {
    name: NAME,
    async run(times) {
      const sent: Uint8Array[] = []
      const time = await timed(() => {
        for (let n = 0; n < times; n++) sent.push(alice.encrypt(bob.peer))
      })
      for (const message of sent) bob.decrypt(alice.peer, message)
      return time
    },
  }
}

export function sessionDecrypt(memory?: Memory): Contestant {
  const { alice, bob } = acquainted(memory)
  return {
    name: NAME,
    async run(times) {
      const sent = Array.from({ length: times }, () => alice.encrypt(bob.peer))
      return timed(() => {
        for (const message of sent) bob.decrypt(alice.peer, message)
      })
    },
  }
}

/** Every message answers the one before: a Diffie-Hellman step each. */
export function pingPong(): Contestant {
  const { alice, bob } = acquainted()
  return {
    name: NAME,
    run: (times) =>
      timed(() => {
        for (let n = 0; n < times; n += 2) {
          bob.decrypt(alice.peer, alice.encrypt(bob.peer))
          alice.decrypt(bob.peer, bob.encrypt(alice.peer))
        }
      }),
  }
}

/** From the verified bundle to the first message read at the other end. */
export function setup(): Contestant {
  const alice = new Device()
  const bob = new Device()
  return {
    name: NAME,
    async run(times) {
      const bundles = bob.bundles().slice(0, times)
      if (bundles.length < times) throw new Error('too few prekeys')
      return timed(() => {
        for (const bundle of bundles) {
          alice.forget(bob.peer)
          bob.forget(alice.peer)
          alice.initiate(bob.peer, bundle)
          bob.decrypt(alice.peer, alice.encrypt(bob.peer))
        }
      })
    },
  }
}

/** A member who writes in a room, and one who reads. */
class Room {
  readonly #writer = new Device()
  readonly #reader = new Device()
  #sending: SendingChain | null = null
  #receiving: ReceivingChains = noReceivingChains(ROOM, this.#writer.local)
  #seq = 0
  #previous: string | null = null

  /**
   * A new chain, as the protocol has it after 100 messages, and as the peer's record has a new sender key;
   * making it is not measured.
   */
  prepare(): void {
    const { local } = this.#writer
    const options = { crypto, random, now: 0, local, room: ROOM, roster: ROSTER }
    const shared = shareChain(startSendingChain(options), [this.#reader.local])
    if (shared === null) throw new Error('no chain')
    this.#sending = shared.chain
    const distribution = chainDistributionSchema.parse(shared.content)
    const receiving = noReceivingChains(ROOM, local)
    const accepted = acceptChain(crypto, receiving, distribution)
    if (!accepted.ok) throw new Error(accepted.code)
    this.#receiving = accepted.chains
  }

  seal(): Uint8Array {
    const taken = this.#sending && takeChainKey(crypto, this.#sending)
    if (taken === null) throw new Error('the chain is used up')
    const sealed = sealText(this.#writer.local, this.#seq++, this.#previous, taken.key)
    this.#sending = taken.chain
    this.#previous = sealed.id
    this.#writer.write('chain', taken.chain)
    const { header, sig, body } = sealed
    return toUtf8(JSON.stringify({ envelope: header, envelope_sig: sig, body: toBase64Url(body) }))
  }

  open(arrived: Uint8Array): void {
    const { envelope, envelope_sig, body } = JSON.parse(fromUtf8(arrived)) as Arrived
    const verified = verifyEnvelope(crypto, envelope, envelope_sig, this.#writer.local.ed25519)
    if (!verified.ok) throw new Error(verified.code)
    const { known } = verified
    const taken = takeContentKey(crypto, this.#receiving, known)
    if (!taken.ok) throw new Error(taken.code)
    const { contentKey } = taken
    const opened = openEnvelope({ crypto, header: known, body: fromBase64Url(body), contentKey })
    if (!opened.ok) throw new Error(opened.code)
    this.#receiving = taken.chains
    this.#reader.write('chains', taken.chains)
    mustBeText(opened.content.text)
  }
}

interface Arrived {
  readonly envelope: JsonObject
  readonly envelope_sig: string
  readonly body: string
}

function sealText(
  local: LocalDevice,
  seq: number,
  prev_own: string | null,
  key?: GivenContentKey,
): SealedEnvelope {
  const draft = { room: ROOM, seq, prev_own, type: 'e.message', ts: Date.now(), roster: ROSTER }
  const content = { v: 1, kind: 'text', text: TEXT }
  const sealing = { crypto, random, local, draft, content }
  const result = sealEnvelope(key === undefined ? sealing : { ...sealing, key })
  if (!result.ok) throw new Error(result.code)
  return result.sealed
}

/** A message in a large room: content key from the chain, envelope, signature. */
export function chainEncrypt(): Contestant {
  const room = new Room()
  return {
    name: NAME,
    async run(times) {
      room.prepare()
      const sent: Uint8Array[] = []
      const time = await timed(() => {
        for (let n = 0; n < times; n++) sent.push(room.seal())
      })
      for (const message of sent) room.open(message)
      return time
    },
  }
}

/** Verified, opened, the chain moved on. */
export function chainDecrypt(): Contestant {
  const room = new Room()
  return {
    name: NAME,
    async run(times) {
      room.prepare()
      const sent = Array.from({ length: times }, () => room.seal())
      return timed(() => {
        for (const message of sent) room.open(message)
      })
    },
  }
}

/** One message, sealed and signed once, its key wrapped for each of `count` devices. */
export function fanOut(count: number): Contestant {
  const alice = new Device()
  const others = Array.from({ length: count }, () => new Device())
  for (const other of others) acquaint(alice, other)
  const peers = others.map((other) => other.peer)
  let seq = 0
  let previous: string | null = null
  return {
    name: NAME,
    async run(times) {
      const sent: { sealed: SealedEnvelope; bytes: Uint8Array }[] = []
      const time = await timed(() => {
        for (let n = 0; n < times; n++) {
          const sealed = sealText(alice.local, seq++, previous)
          const wraps = peers.map((peer) => alice.wrap(peer, sealed.id, sealed.contentKey))
          const { header, sig, body } = sealed
          const said = { envelope: header, envelope_sig: sig, body: toBase64Url(body), wraps }
          sent.push({ sealed, bytes: toUtf8(JSON.stringify(said)) })
          previous = sealed.id
        }
      })
      for (const { sealed, bytes } of sent)
        for (const [at, other] of others.entries()) other.unwrap(alice.peer, sealed, bytes, at)
      return time
    },
  }
}
