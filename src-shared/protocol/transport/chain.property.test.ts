import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { toBase64Url } from '../encoding/index.ts'
import { openEnvelope, sealEnvelope } from '../envelope/index.ts'
import type { SealedEnvelope } from '../envelope/index.ts'
import { crypto, makeDevice, seededRandom, throughStorage } from '../prekeys/testing/devices.ts'
import type { LocalDevice } from '../prekeys/index.ts'
import {
  acceptChain,
  mustRotate,
  noReceivingChains,
  parseReceivingChains,
  parseSendingChain,
  shareChain,
  startSendingChain,
  takeChainKey,
  takeContentKey,
  withoutChain,
} from './index.ts'
import type { ChainDistribution, ReceivingChains, SendingChain } from './index.ts'

type Step =
  | { readonly kind: 'say' | 'restart' | 'wait' }
  | { readonly kind: 'join' | 'leave'; readonly who: number }
  | { readonly kind: 'deliver' | 'replay'; readonly who: number; readonly pick: number }

const who = fc.nat(3)
const pick = fc.nat(1000)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('say' as const) }) },
  { weight: 16, arbitrary: fc.record({ kind: fc.constant('deliver' as const), who, pick }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('replay' as const), who, pick }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('join' as const, 'leave' as const), who }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('restart' as const, 'wait' as const) }),
  },
)

const DAY = 24 * 60 * 60 * 1000
const sender = makeDevice('alice')
/** Signatures are not what this is about, and they take most of the time. */
const unsigned = { ...crypto, ed25519Sign: () => new Uint8Array(64) }
const room = `!${toBase64Url(seededRandom('room')(32))}:example.org`
const roster = toBase64Url(seededRandom('roster')(32))
const content = { v: 1, kind: 'text', text: 'hello' }

interface Sent {
  readonly sealed: SealedEnvelope
  readonly readers: ReadonlySet<number>
}

class Reader {
  readonly device: LocalDevice
  chains: ReceivingChains = noReceivingChains(room, sender)
  /** All that was ever given to it. */
  readonly given: ChainDistribution[] = []
  readonly read = new Set<Sent>()

  constructor(name: string) {
    this.device = makeDevice(name)
  }

  take(sent: Sent): string {
    const { header, body } = sent.sealed
    const taken = takeContentKey(crypto, this.chains, header)
    if (!taken.ok) return taken.code
    expect(openEnvelope({ crypto, header, body, contentKey: taken.contentKey }).ok).toBe(true)
    this.chains = taken.chains
    this.read.add(sent)
    return 'read'
  }
}

class World {
  readonly random = seededRandom('world')
  readonly readers = ['bob', 'carol', 'dave', 'erin'].map((name) => new Reader(name))
  readonly joined = new Set([0, 1])
  readonly sent: Sent[] = []
  readonly places = new Set<string>()
  chain: SendingChain | null = null
  now = 0

  say(): void {
    const joined = [...this.joined].flatMap((index) => this.readers[index] ?? [])
    const recipients = joined.map(({ device }) => device)
    const { random, now } = this
    if (this.chain === null || mustRotate(this.chain, { now, recipients }) !== null)
      this.chain = startSendingChain({ crypto, random, now, local: sender, room, roster })
    const missing = withoutChain(this.chain, recipients)
    const shared = shareChain(this.chain, missing)
    if (shared === null) throw new Error('a chain that need not rotate is used up')
    for (const reader of joined.filter(({ device }) => missing.includes(device))) {
      const accepted = acceptChain(crypto, reader.chains, shared.content)
      if (!accepted.ok) throw new Error(accepted.code)
      reader.chains = accepted.chains
      reader.given.push(shared.content)
    }
    const taken = takeChainKey(crypto, shared.chain)
    if (taken === null) throw new Error('used up')
    this.chain = taken.chain
    const { id, n } = taken.key.chain
    expect(this.places.has(`${id}/${n}`)).toBe(false)
    this.places.add(`${id}/${n}`)
    const seq = this.sent.length
    const draft = { room, seq, prev_own: null, type: 'e.message', ts: now, roster }
    const sealed = sealEnvelope({
      crypto: unsigned,
      random,
      local: sender,
      draft,
      content,
      key: taken.key,
    })
    if (!sealed.ok) throw new Error(sealed.code)
    this.sent.push({ sealed: sealed.sealed, readers: new Set(this.joined) })
  }

  deliver(index: number, sent: Sent): void {
    const reader = this.readers[index]
    if (reader === undefined) return
    const before = reader.chains
    const expected = !sent.readers.has(index)
      ? ['unknown_chain', 'before_start']
      : [reader.read.has(sent) ? 'already_used' : 'read']
    const outcome = reader.take(sent)
    expect(expected).toContain(outcome)
    if (outcome !== 'read') expect(reader.chains).toBe(before)
  }

  run(step: Step): void {
    switch (step.kind) {
      case 'say':
        return this.say()
      case 'join':
        this.joined.add(step.who)
        return
      case 'leave':
        this.joined.delete(step.who)
        return
      case 'wait':
        this.now += 3 * DAY
        return
      case 'restart':
        this.chain = this.chain && parseSendingChain(throughStorage(this.chain))
        for (const reader of this.readers) {
          const chains = parseReceivingChains(throughStorage(reader.chains))
          if (chains === null) throw new Error('state does not survive storage')
          reader.chains = chains
        }
        return
      case 'deliver':
      case 'replay': {
        const reader = this.readers[step.who]
        const from = step.kind === 'replay' ? [...(reader?.read ?? [])] : this.sent
        const sent = from[step.pick % from.length]
        return sent && this.deliver(step.who, sent)
      }
    }
  }
}

it('is read once by whoever was a recipient, and by nobody else, in any order', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const world = new World()
      for (const each of steps) world.run(each)
      for (const sent of [...world.sent].reverse())
        for (const index of world.readers.keys()) world.deliver(index, sent)
    }),
    { numRuns: 40 },
  )
})

it('does not open what came after a removal to whoever kept all that it was given', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const world = new World()
      world.say()
      for (const each of steps) world.run(each)
      world.joined.delete(0)
      const from = world.sent.length
      world.say()
      const later = world.sent.slice(from)
      // Whatever this device does with its old distributions, it gets to no key of a later message.
      const hoarder = new Reader('bob')
      for (const given of world.readers[0]?.given ?? []) {
        const accepted = acceptChain(crypto, hoarder.chains, given)
        if (accepted.ok) hoarder.chains = accepted.chains
      }
      for (const sent of later) expect(hoarder.take(sent)).toBe('unknown_chain')
    }),
    { numRuns: 20 },
  )
})
