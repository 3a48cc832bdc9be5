/** Two devices, their prekeys and sessions, and the prekey pool that a node would keep for each. */
import { toUtf8 } from '../../encoding/index.ts'
import type { Json } from '../../encoding/index.ts'
import type { LocalDevice, PrekeyBundle, PrekeyState, Random } from '../../prekeys/index.ts'
import { parsePrekeyState } from '../../prekeys/index.ts'
import {
  asPeer,
  bundleOf,
  crypto,
  makeDevice,
  makePrekeys,
  seededRandom,
  throughStorage,
} from '../../prekeys/testing/devices.ts'
import {
  decryptPairwise,
  EMPTY_SESSION_SET,
  encryptPairwise,
  initiateSession,
  parseSessionSet,
} from '../index.ts'
import type { PairwiseDecrypted, RatchetMessage, SessionSet } from '../index.ts'

export interface InFlight {
  readonly session: string
  readonly message: RatchetMessage
  readonly text: string
}

const CONTEXT = toUtf8('test')

export class End {
  readonly local: LocalDevice
  readonly random: Random
  set: SessionSet = EMPTY_SESSION_SET
  prekeys: PrekeyState
  #published: PrekeyState
  #claimed = 0
  #said = 0

  constructor(name: string, oneTime: number) {
    this.local = makeDevice(name)
    this.random = seededRandom(`end/${name}`)
    this.prekeys = makePrekeys(this.local, oneTime)
    this.#published = this.prekeys
  }

  /** What the node answers to a claim. */
  claim(): PrekeyBundle {
    const left = this.#claimed < this.#published.one_time.length
    return bundleOf(this.local, this.#published, left ? this.#claimed++ : null)
  }

  initiate(peer: End): string {
    const initiated = initiateSession({
      crypto,
      random: this.random,
      set: this.set,
      local: this.local,
      peer: asPeer(peer.local),
      bundle: peer.claim(),
    })
    if (!initiated.ok) throw new Error(initiated.code)
    this.set = initiated.set
    return initiated.session
  }

  say(text = `${this.local.device} ${this.#said++}`): InFlight {
    const encrypted = encryptPairwise({
      crypto,
      random: this.random,
      set: this.set,
      plaintext: toUtf8(text),
      context: CONTEXT,
    })
    if (!encrypted.ok) throw new Error(encrypted.code)
    this.set = encrypted.set
    return { session: encrypted.session, message: encrypted.message, text }
  }

  /** Without keeping the outcome. */
  try(from: End, { session, message }: InFlight, context = CONTEXT): PairwiseDecrypted {
    const { set, prekeys, local } = this
    const peer = asPeer(from.local)
    return decryptPairwise({ crypto, set, prekeys, local, peer, session, message, context })
  }

  /** The code, or the text. */
  hear(from: End, inFlight: InFlight): string {
    const decrypted = this.try(from, inFlight)
    if (!decrypted.ok) return decrypted.code
    this.set = decrypted.set
    this.prekeys = decrypted.prekeys
    return new TextDecoder().decode(decrypted.plaintext)
  }

  restart(): void {
    const set = parseSessionSet(throughStorage(this.set as Json))
    const prekeys = parsePrekeyState(throughStorage(this.prekeys as Json))
    if (set === null || prekeys === null) throw new Error('state does not survive storage')
    this.set = set
    this.prekeys = prekeys
  }
}

/** Alice and Bob; `connected` means that both have answered in one session. */
export function twoEnds(oneTime = 4, connected = false): { alice: End; bob: End } {
  const alice = new End('alice', oneTime)
  const bob = new End('bob', oneTime)
  if (connected) {
    alice.initiate(bob)
    bob.hear(alice, alice.say())
    alice.hear(bob, bob.say())
  }
  return { alice, bob }
}
