/** Drives a seeded run in steps: every choice is the schedule's, and the journal of two runs is the same. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  makeEvent,
  nameBody,
  originTsAfter,
  selectAuthEvents,
} from '../../../src-shared/protocol/index.ts'
import type { RoomEvent } from '../../../src-shared/protocol/index.ts'
import { allGuards } from '../../guards.ts'
import type { Guards } from '../../guards.ts'
import { crypto, drawFrom, letIn } from '../../../conformance/device.ts'
import { seededBytes } from './chance.ts'
import { faultsOf, pictureOf, Verdicts } from './check.ts'
import type { Picture } from './check.ts'
import { Steps } from './in-steps.ts'
import type { Parcel } from './in-steps.ts'
import { People } from './people.ts'
import type { Outcome, Person, Sealed } from './people.ts'
import type { Result } from './result.ts'
import { furnish, letBackIn } from './room.ts'
import { NODES } from './schedule.ts'
import type { Act, Beat, Schedule } from './schedule.ts'

/** Steps after which a run that still moves never comes to rest. */
const PATIENCE = 300

/** `guards`: of every node; with less than all of them something must be found wrong. */
export async function runInSteps(schedule: Schedule, guards: Guards = allGuards): Promise<Result> {
  // Power does not fail here, and flushing to a disk is most of what a run costs.
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const folders = new Map(NODES.map((name) => [name, mkdtempSync(join(memory, 'eccp-steps-'))]))
  const steps = new Steps(schedule, folders, guards)
  drawFrom({ random: seededBytes(schedule.seed, 'devices'), now: () => steps.now })
  try {
    return await new Driver(schedule, steps).run()
  } finally {
    drawFrom(null)
    await steps.close()
    for (const folder of folders.values()) rmSync(folder, { recursive: true, force: true })
  }
}

class Driver {
  readonly #schedule: Schedule
  readonly #steps: Steps
  readonly #people = new People()
  readonly #verdicts = new Verdicts()
  readonly #journal: string[] = []
  readonly #faults: string[] = []
  readonly #forged = new Set<string>()
  /** Sent, and to be sent once more. */
  #again: Sealed[] = []
  readonly #underWay = new Set<Promise<void>>()

  constructor(schedule: Schedule, steps: Steps) {
    this.#schedule = schedule
    this.#steps = steps
  }

  async run(): Promise<Result> {
    await this.#runAll().catch((error: unknown) => this.#faults.push(String(error)))
    return {
      faults: this.#faults,
      journal: this.#journal,
      acknowledged: this.#people.acknowledged.size,
      refused: [...this.#people.refusals.values()].reduce((sum, count) => sum + count, 0),
    }
  }

  async #runAll(): Promise<void> {
    const steps = this.#steps
    for (const name of NODES) await steps.start(name)
    // Nobody is asked for what was said to the process before: clocks that differ have to pass that first.
    await steps.time(5000)
    await furnish(this.#people, {
      place: (name) => ({ url: '', serverName: name, ask: steps.asker(name) }),
      meanwhile: (work) => this.#meanwhile(work),
    })
    for (const [index, beat] of this.#schedule.beats.entries()) {
      this.#note(`${index}: ${JSON.stringify(beat)}`)
      await this.#do(beat)
      await steps.still()
    }
    this.#note('everything heals')
    await this.#rest()
    await this.#check('after everything has healed')
    await letBackIn(this.#people, (work) => this.#meanwhile(work))
    await this.#rest()
    await this.#check('after everybody has come back')
  }

  #note(line: string): void {
    this.#journal.push(`${this.#steps.now} ${line}`)
  }

  async #do(beat: Beat): Promise<void> {
    const steps = this.#steps
    switch (beat.beat) {
      case 'act':
        return this.#act(this.#people.who(beat.who), beat.act, beat.again)
      case 'pass': {
        const parcel = steps.parcels[Math.floor(beat.pick * steps.parcels.length)]
        return parcel === undefined ? undefined : this.#pass(parcel, beat.fate)
      }
      case 'sync': {
        const { listeners, room } = this.#people
        const listener = listeners[Math.floor(beat.pick * listeners.length)]
        if (listener !== undefined && steps.isUp(listener.node)) await listener.ask(room, beat.lost)
        return
      }
      case 'time':
        return steps.time(beat.ms)
      case 'cut':
        return steps.cut(NODES[beat.from] ?? '', NODES[beat.to] ?? '', beat.oneWay)
      case 'heal':
        return steps.heal()
      case 'kill':
        return steps.kill(NODES[beat.node] ?? '')
      case 'start':
        return this.#startAll()
      case 'kill_database':
        return
    }
  }

  async #pass(parcel: Parcel, fate: 'through' | 'lost' | 'again'): Promise<void> {
    const { link, number, what, path, says } = parcel
    const [, endpoint = ''] = /federation\/v1\/(\w+)/.exec(path) ?? []
    this.#note(`${what} ${number} ${link} ${endpoint}: ${fate} (${says})`)
    await this.#steps.pass(parcel, fate)
  }

  async #startAll(): Promise<void> {
    for (const name of NODES) if (!this.#steps.isUp(name)) await this.#steps.start(name)
  }

  async #act(by: Person, act: Act, again: boolean): Promise<void> {
    if (by.busy || !this.#steps.isUp(by.node)) return
    // Without its maker a room has nobody to bring it back.
    if (act.kind === 'leave' && by === this.#people.who(0)) return
    if (act.kind === 'device') return this.#letIn(by)
    if (act.kind === 'forge') return this.#forge(by)
    const sealed = await this.#people.seal(by, act)
    if (sealed !== null) this.#begin(sealed, again)
  }

  /** Coming in takes requests to other nodes, which others have to pass on meanwhile. */
  #begin(sealed: Sealed, again: boolean): void {
    const { by } = sealed
    by.busy = true
    const work = this.#people.send(sealed).then(
      (outcome) => {
        by.busy = false
        this.#judge(sealed, outcome)
        if (again || outcome.kind === 'unknown') this.#again.push(sealed)
      },
      (error: unknown) => {
        by.busy = false
        this.#faults.push(String(error))
      },
    )
    this.#underWay.add(work)
    void work.finally(() => this.#underWay.delete(work))
  }

  #judge({ what, allowed }: Sealed, outcome: Outcome): void {
    this.#note(`${what}: ${Object.values(outcome).join(' ')}`)
    if (outcome.kind === 'unknown' || allowed === null) return
    if (allowed !== (outcome.kind === 'acknowledged'))
      this.#faults.push(`${what} is ${allowed ? '' : 'not '}allowed, and was ${outcome.kind}`)
  }

  async #letIn(by: Person): Promise<void> {
    const { pending } = by
    if (pending === null) return
    by.pending = null
    await letIn(by.device, pending)
    // From here on others seal for it.
    await this.#people.listen(by, pending, true)
    this.#note(`${by.name} lets a device in`)
  }

  /** The node of `by` makes an event that the rules refuse, and one that rests on it, and sends both out. */
  async #forge(by: Person): Promise<void> {
    const { room } = this.#people
    const context = this.#steps.context(by.node)
    const current = await context.storage.read((tx) => context.roomStates.current(tx, room))
    if (current === undefined) return
    const { state, parents } = current
    const { device } = by
    const order = (ends: readonly RoomEvent[]): RoomEvent => {
      const submission = device.sealState(room, state, nameBody(`forged by ${by.name}`))
      const { envelope, envelope_sig: sig, body } = submission
      // As if there were no power levels to look at.
      const auth = selectAuthEvents(state, envelope).filter(
        ({ header }) => header.type !== 'e.room.power',
      )
      return makeEvent(crypto, {
        envelope,
        body: Buffer.from(body ?? '', 'base64url'),
        sig,
        prevEvents: ends.map(({ id }) => id),
        authEvents: auth.map(({ id }) => id),
        origin: by.node,
        originTs: originTsAfter(context.now(), ends),
        nodeKey: context.keys.current,
      })
    }
    const first = order(parents)
    const second = order([first])
    for (const { id } of [first, second]) this.#forged.add(id)
    const items = [first, second].map(({ id, pdu }) => ({
      kind: 'event' as const,
      id,
      pdu,
      wraps: [],
    }))
    for (const server of NODES)
      if (server !== by.node)
        context.peers
          .call(server, 'transaction', { params: { txnId: first.id.slice(1) }, body: { items } })
          .then(
            (answer) => {
              const outcomes = answer.ok ? answer.value.results.map(({ outcome }) => outcome) : []
              this.#note(`${server} on what ${by.name} has forged: ${outcomes.join(' ')}`)
              if (outcomes.includes('taken'))
                this.#faults.push(`${server} took what ${by.name} forged`)
            },
            () => undefined,
          )
  }

  async #meanwhile<T>(work: () => Promise<T>): Promise<T> {
    let done = false
    const result = work().finally(() => {
      done = true
    })
    result.catch(() => undefined)
    for (let step = 0; step < PATIENCE && !done; step++) if (!(await this.#onward())) await pause()
    await this.#flow()
    return result
  }

  /** Passes on what is oldest, or lets time go by; false where nothing moves. */
  async #onward(): Promise<boolean> {
    const steps = this.#steps
    await steps.still()
    const [oldest] = steps.parcels
    if (oldest !== undefined) await this.#pass(oldest, 'through')
    else {
      const waits = steps.untilNext()
      if (waits === null || !(await this.#isOwed())) return false
      this.#note(`nothing for ${waits} ms`)
      await steps.time(waits)
    }
    return true
  }

  async #isOwed(): Promise<boolean> {
    if (this.#underWay.size > 0) return true
    for (const name of NODES) {
      if (!this.#steps.isUp(name)) continue
      const { storage } = this.#steps.context(name)
      if ((await storage.read((tx) => tx.federation.destinations())).length > 0) return true
    }
    return false
  }

  async #flow(): Promise<void> {
    for (let step = 0; await this.#onward(); step++)
      if (step > PATIENCE) throw new Error('this run never comes to rest')
  }

  /** Everything is up and joined again, and what waits is sent, until nothing is left. */
  async #rest(): Promise<void> {
    this.#steps.heal()
    await this.#startAll()
    await this.#flow()
    for (const sealed of this.#again.splice(0)) {
      this.#begin(sealed, false)
      await this.#flow()
    }
    for (const listener of this.#people.listeners) await listener.catchUp(this.#people.room)
  }

  async #check(when: string): Promise<void> {
    const { room } = this.#people
    const pictures: Picture[] = []
    for (const name of NODES)
      pictures.push(await pictureOf(name, this.#steps.context(name).storage, room, NODES))
    for (const { name, rows, state, ends } of pictures)
      this.#note(
        `${name}: ${rows.map((row) => row.event_id).join()} ${state.join()} ${ends.join()}`,
      )
    const found = faultsOf({
      verdicts: this.#verdicts,
      people: this.#people,
      pictures,
      forged: this.#forged,
    })
    this.#faults.push(...found.map((fault) => `${when}: ${fault}`))
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1))
}
