/**
 * Drives a seeded run in real time: nodes on loopback behind proxies, in this process or as processes of their own
 * that are killed, on SQLite or on a PostgreSQL that is killed as well. The schedule and the fate of each request
 * on its link are the seed's; when things happen is the machine's.
 */
import { openStorage } from '../../storage/index.ts'
import type { Storage } from '../../storage/index.ts'
import { FederationNet } from '../federation-net.ts'
import type { Member } from '../federation-net.ts'
import { findPostgres, TestPostgres } from '../postgresql.ts'
import { faultsOf, pictureOf, Verdicts } from './check.ts'
import type { Picture } from './check.ts'
import type { Listener } from './listener.ts'
import { People } from './people.ts'
import type { Outcome, Person, Sealed } from './people.ts'
import type { Result } from './result.ts'
import { furnish, letBackIn } from './room.ts'
import { NODES } from './schedule.ts'
import type { Act, Beat, Schedule } from './schedule.ts'

/** Between one beat and the next. */
const BEAT_MS = 4
/** Before the same is sent again. */
const AGAIN_MS = 25
/** However busy the machine is: a run that is not at rest then never will be. */
const PATIENCE_MS = 150_000

export async function runFree(schedule: Schedule): Promise<Result> {
  const net = await FederationNet.open(NODES, schedule.seed)
  const driver = new Driver(schedule, net)
  try {
    return await driver.run()
  } finally {
    await driver.close()
    await net.close()
  }
}

class Driver {
  readonly #schedule: Schedule
  readonly #net: FederationNet
  readonly #members = new Map<string, Member>()
  readonly #down = new Set<string>()
  readonly #people = new People()
  readonly #verdicts = new Verdicts()
  readonly #journal: string[] = []
  readonly #faults: string[] = []
  readonly #underWay = new Set<Promise<void>>()
  readonly #asking = new Set<Listener>()
  readonly #looks = new Map<string, Storage>()
  #postgres: TestPostgres | null = null
  #over = false

  constructor(schedule: Schedule, net: FederationNet) {
    this.#schedule = schedule
    this.#net = net
  }

  async run(): Promise<Result> {
    await this.#runAll().catch((error: unknown) => this.#faults.push(String(error)))
    this.#over = true
    return {
      faults: this.#faults,
      journal: this.#journal,
      acknowledged: this.#people.acknowledged.size,
      refused: [...this.#people.refusals.values()].reduce((sum, count) => sum + count, 0),
    }
  }

  async close(): Promise<void> {
    this.#over = true
    await Promise.all(this.#underWay)
    for (const storage of this.#looks.values()) await storage.close()
    for (const member of this.#members.values()) await member.stop()
    await this.#postgres?.stop()
  }

  async #runAll(): Promise<void> {
    const { kind, faults, beats } = this.#schedule
    if (kind === 'postgresql') this.#postgres = await startPostgres()
    await Promise.all(NODES.map((name) => this.#start(name)))
    await furnish(this.#people, {
      place: (name) => this.#member(name),
      meanwhile: (work) => this.#meanwhile(work),
    })
    this.#net.faults = faults
    for (const [index, beat] of beats.entries()) {
      this.#journal.push(`${index}: ${JSON.stringify(beat)}`)
      await this.#do(beat)
      await pause(BEAT_MS)
    }
    this.#journal.push('everything heals')
    await this.#rest()
    await this.#check('after everything has healed')
    await letBackIn(this.#people, (work) => this.#meanwhile(work))
    await this.#rest()
    await this.#check('after everybody has come back')
  }

  #member(name: string): Member {
    const member = this.#members.get(name)
    if (member === undefined) throw new Error(`no ${name}`)
    return member
  }

  async #start(name: string): Promise<void> {
    const { kind } = this.#schedule
    const database = this.#postgres?.url(name.replace('.', '_'))
    const member =
      kind === 'loopback'
        ? await this.#net.start(name)
        : await this.#net.startProcess(name, database)
    this.#members.set(name, member)
    this.#down.delete(name)
    for (const { node, device } of this.#people.listeners)
      if (node === name) device.url = member.url
  }

  async #startAll(): Promise<void> {
    await Promise.all([...this.#down].map((name) => this.#start(name)))
  }

  async #do(beat: Beat): Promise<void> {
    switch (beat.beat) {
      case 'act':
        return this.#act(this.#people.who(beat.who), beat.act, beat.again)
      case 'sync': {
        const { listeners } = this.#people
        const listener = listeners[Math.floor(beat.pick * listeners.length)]
        if (listener !== undefined) this.#listen(listener, beat.lost)
        return
      }
      case 'cut':
        return this.#net.cut(NODES[beat.from] ?? '', NODES[beat.to] ?? '', beat.oneWay)
      case 'heal':
        return this.#net.heal()
      case 'kill': {
        const name = NODES[beat.node] ?? ''
        if (this.#down.has(name)) return
        this.#down.add(name)
        return this.#member(name).stop()
      }
      case 'start':
        return this.#startAll()
      case 'kill_database':
        await this.#postgres?.kill()
        return this.#postgres?.start()
      case 'pass':
      case 'time':
        return
    }
  }

  #listen(listener: Listener, lost: boolean): void {
    if (this.#asking.has(listener)) return
    this.#asking.add(listener)
    this.#track(listener.ask(this.#people.room, lost).finally(() => this.#asking.delete(listener)))
  }

  #act(by: Person, act: Act, again: boolean): void {
    if (by.busy || this.#down.has(by.node)) return
    // Without its maker a room has nobody to bring it back.
    if (act.kind === 'leave' && by === this.#people.who(0)) return
    by.busy = true
    this.#track(
      this.#people
        .seal(by, act)
        .then((sealed) => (sealed === null ? undefined : this.#persist(sealed, again)))
        .finally(() => {
          by.busy = false
        }),
    )
  }

  /** The same bytes until they have an answer, whatever happens to the node meanwhile. */
  async #persist(sealed: Sealed, again: boolean): Promise<void> {
    let outcome: Outcome
    do {
      outcome = await this.#people.send(sealed)
      if (outcome.kind === 'unknown') await pause(AGAIN_MS)
    } while (outcome.kind === 'unknown' && !this.#over)
    this.#journal.push(`${sealed.what}: ${Object.values(outcome).join(' ')}`)
    if (again && outcome.kind === 'acknowledged') await this.#people.send(sealed)
  }

  #track(work: Promise<unknown>): void {
    const tracked = work.then(
      () => undefined,
      (error: unknown) => {
        this.#faults.push(String(error))
      },
    )
    this.#underWay.add(tracked)
    void tracked.finally(() => this.#underWay.delete(tracked))
  }

  async #meanwhile<T>(work: () => Promise<T>): Promise<T> {
    const result = await work()
    await this.#settle()
    return result
  }

  /** Everything is up and joined again, until nothing is on its way. */
  async #rest(): Promise<void> {
    this.#net.heal()
    this.#net.faults = { lost: 0, answerLost: 0, repeated: 0, maxDelayMs: 0 }
    await this.#startAll()
    await this.#settle()
    for (const listener of this.#people.listeners) await listener.catchUp(this.#people.room)
  }

  async #settle(): Promise<void> {
    const end = Date.now() + PATIENCE_MS
    for (let quiet = 0; quiet < 2;) {
      if (Date.now() > end) throw new Error('this run never comes to rest')
      quiet = this.#underWay.size === 0 && (await this.#owed()) === 0 ? quiet + 1 : 0
      await pause(10)
    }
  }

  /** What waits for other nodes. */
  async #owed(): Promise<number> {
    let owed = 0
    for (const name of NODES) {
      const storage = await this.#look(name)
      const waiting = await storage.read((tx) => tx.federation.destinations())
      owed += waiting.reduce((sum, one) => sum + one.waiting, 0)
    }
    return owed
  }

  /** Into a node's data, past the node where it is a process of its own. */
  async #look(name: string): Promise<Storage> {
    const { node, dataDir } = this.#member(name)
    if (node !== null) return node.context.storage
    const open = this.#looks.get(name)
    if (open !== undefined) return open
    const database = this.#postgres?.url(name.replace('.', '_')) ?? null
    const storage = await openStorage({ folder: dataDir, serverName: name, database, shared: true })
    this.#looks.set(name, storage)
    return storage
  }

  async #check(when: string): Promise<void> {
    const pictures: Picture[] = []
    for (const name of NODES)
      pictures.push(await pictureOf(name, await this.#look(name), this.#people.room, NODES))
    const found = faultsOf({
      verdicts: this.#verdicts,
      people: this.#people,
      pictures,
      forged: new Set(),
    })
    this.#faults.push(...found.map((fault) => `${when}: ${fault}`))
  }
}

/** What it calls durable is, and each node has a database of its own in it. */
async function startPostgres(): Promise<TestPostgres> {
  const found = findPostgres()
  if ('missing' in found) throw new Error(found.missing)
  const postgres = new TestPostgres({ bin: found.bin, durable: true })
  await postgres.create()
  await postgres.start()
  for (const name of NODES) await postgres.query(`create database ${name.replace('.', '_')}`)
  return postgres
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
