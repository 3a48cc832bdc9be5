import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { End } from './testing/two-devices.ts'
import type { InFlight } from './testing/two-devices.ts'

/** One step of an adversarial network between two devices; `pick` chooses among what is in flight. */
type Step =
  | { readonly kind: 'say' | 'initiate' | 'restart'; readonly who: 0 | 1 }
  | { readonly kind: 'deliver' | 'duplicate' | 'drop' | 'replay'; readonly pick: number }

const who = fc.constantFrom(0 as const, 1 as const)
const pick = fc.nat(1000)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('say' as const), who }) },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('deliver' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('duplicate' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('replay' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('initiate' as const), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), who }) },
)

const steps = (maxLength: number): fc.Arbitrary<Step[]> =>
  fc.array(step, { maxLength, size: 'max' })

type Parcel = InFlight & { readonly from: 0 | 1; readonly id: number }

/** Sessions stay below MAX_SESSIONS, beyond which old ones are forgotten by design. */
const MAX_INITIATIONS = 6

class World {
  readonly ends: readonly [End, End]
  readonly read = new Set<number>()
  readonly done: Parcel[] = []
  readonly usedKeys = new Set<string>()
  inFlight: Parcel[] = []
  #sent = 0
  #initiations = 0

  constructor(oneTime: number) {
    this.ends = [new End('alice', oneTime), new End('bob', oneTime)]
  }

  initiate(from: 0 | 1): void {
    if (this.#initiations++ < MAX_INITIATIONS) this.ends[from].initiate(this.peerOf(from))
  }

  say(from: 0 | 1): void {
    const end = this.ends[from]
    if (end.set.sending === null) end.initiate(this.peerOf(from))
    const said = end.say()
    const { key, n } = said.message.header
    const used = `${said.session}/${key}/${n}`
    expect(this.usedKeys.has(used)).toBe(false)
    this.usedKeys.add(used)
    this.inFlight.push({ ...said, from, id: this.#sent++ })
  }

  /** A message opens exactly once; any further copy is refused and changes nothing. */
  deliver(parcel: Parcel): void {
    const receiver = this.peerOf(parcel.from)
    const { set, prekeys } = receiver
    const heard = receiver.hear(this.ends[parcel.from], parcel)
    if (this.read.has(parcel.id)) {
      expect(['already_used', 'replayed', 'undecipherable']).toContain(heard)
      expect(receiver.set).toBe(set)
      expect(receiver.prekeys).toBe(prekeys)
      return
    }
    expect(heard).toBe(parcel.text)
    this.read.add(parcel.id)
    this.done.push(parcel)
  }

  run(step: Step): void {
    switch (step.kind) {
      case 'say':
        return this.say(step.who)
      case 'initiate':
        return this.initiate(step.who)
      case 'restart':
        return this.ends[step.who].restart()
      case 'deliver': {
        const parcel = this.take(step.pick)
        return parcel && this.deliver(parcel)
      }
      case 'drop':
        this.take(step.pick)
        return
      case 'duplicate': {
        const parcel = this.inFlight[step.pick % this.inFlight.length]
        if (parcel) this.inFlight.push(parcel)
        return
      }
      case 'replay': {
        const parcel = this.done[step.pick % this.done.length]
        return parcel && this.deliver(parcel)
      }
    }
  }

  take(pick: number): Parcel | undefined {
    return this.inFlight.splice(pick % this.inFlight.length || 0, 1)[0]
  }

  peerOf(from: 0 | 1): End {
    return this.ends[from === 0 ? 1 : 0]
  }
}

it('reads every message once, in any order, through loss, copies, crossing and restarts', () => {
  fc.assert(
    fc.property(steps(60), fc.nat(3), (run, oneTime) => {
      const world = new World(oneTime)
      for (const each of run) world.run(each)
      for (const parcel of world.inFlight) world.deliver(parcel)
      for (const end of world.ends) end.restart()
      for (const parcel of world.done) world.deliver(parcel)
    }),
    { numRuns: 25 },
  )
})

/** Bob waits for an answer in his session while Alice waits for one in hers. */
const UNANSWERED_BOTH_WAYS: Step[] = [
  { kind: 'say', who: 1 },
  { kind: 'deliver', pick: 0 },
  { kind: 'initiate', who: 0 },
]

it('settles on one session once both have spoken in turn', () => {
  fc.assert(
    fc.property(steps(40), (run) => {
      const world = new World(2)
      for (const each of run) world.run(each)
      for (let round = 0; round < 3; round++)
        for (const from of [0, 1] as const) {
          world.say(from)
          for (const parcel of world.inFlight.splice(0)) world.deliver(parcel)
        }
      const [alice, bob] = world.ends
      expect(alice.set.sending).toBe(bob.set.sending)
    }),
    { numRuns: 12, examples: [[UNANSWERED_BOTH_WAYS]] },
  )
})
