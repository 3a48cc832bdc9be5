/**
 * Two people on two desktops and a node, all real processes, any of which may be killed at a chosen
 * boundary and started again. Knows how to start, arm, talk and look; what is right, the ledger decides.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from '@playwright/test'
import type { Bridge, CallInput, CallName, CallResult } from '../../src-shared/ipc/index.ts'
import type { TimelineItem } from '../../src-shared/view-model/index.ts'
import { launchApp, withFaults, type RunningApp } from '../driver/app.ts'
import { freePort, startNodeProcess, type NodeProcess } from '../driver/node-process.ts'
import {
  accept,
  choosePassphrase,
  createAccount,
  startDirect,
  unlock,
  workspace,
} from '../driver/person.ts'
import { endPersonalNode } from '../driver/personal-node.ts'
import { startRecordingProxy, type RecordingProxy } from '../driver/recording-proxy.ts'
import { Guest } from './guest.ts'
import { shownOf, type Ledger, type Shown } from './ledger.ts'

export const names = ['ada', 'bo'] as const
export type Name = (typeof names)[number]
export const victims = ['ada', 'bo', 'ada-browser', 'bo-browser', 'node'] as const
export type Victim = (typeof victims)[number]

/** Where to kill: the n-th passing of a boundary after the victim's start. */
export interface KillPoint {
  readonly victim: Victim
  /** `point what`, as kill-at.ts announces them. */
  readonly boundary: string
  readonly occurrence: number
}

const serverName = 'kill.example'
const preload = pathToFileURL(join(import.meta.dirname, '..', 'faults', 'kill-at.ts')).href

export class Scene {
  readonly #home = mkdtempSync(join(tmpdir(), 'privchat-kill-'))
  readonly #apps = new Map<Name, RunningApp>()
  readonly #accounts = new Map<Name, string>()
  readonly #plantedBug: string | null
  #port = 0
  #node: NodeProcess | null = null
  #proxy: RecordingProxy | null = null
  #room = ''
  readonly #guests: { readonly host: Name; readonly guest: Guest }[] = []
  #launches = 0
  #spoken = 0

  constructor(options: { plantedBug: string | null }) {
    this.#plantedBug = options.plantedBug
  }

  get proxy(): RecordingProxy {
    if (this.#proxy === null) throw new Error('the scene is not set')
    return this.#proxy
  }

  /** Two accounts and a conversation between them. */
  async set(): Promise<void> {
    this.#port = await freePort()
    this.#proxy = await startRecordingProxy(`http://127.0.0.1:${String(this.#port)}`)
    await this.startNode(null)
    for (const name of names) {
      const { page } = await this.#launch(name, null)
      await choosePassphrase(page)
      await createAccount(page, {
        name,
        displayName: name,
        password: `a password of ${name}`,
        server: this.proxy.url,
      })
      this.#accounts.set(name, await this.#account(name))
    }
    await startDirect(this.#page('ada'), 'bo')
    await accept(this.#page('bo'), 'ada')
    await expect.poll(() => this.#theRoom('bo'), { timeout: 20_000 }).not.toBe('')
    this.#room = await this.#theRoom('ada')
  }

  boundaryFile(victim: Victim): string {
    return join(this.#home, `boundaries-${victim.replace('-browser', '')}`)
  }

  /** Boundaries passed since the victim's last start, oldest first. */
  passed(victim: Victim): string[] {
    const file = this.boundaryFile(victim)
    return existsSync(file)
      ? readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
      : []
  }

  #faults(victim: Victim, kill: KillPoint | null): Record<string, string> {
    rmSync(this.boundaryFile(victim), { force: true })
    return {
      [victim === 'node' ? 'NODE_OPTIONS' : 'ECCP_FAULT_OPTIONS']: `--import ${preload}`,
      ECCP_BOUNDARY_FILE: this.boundaryFile(victim),
      ...(kill === null
        ? {}
        : {
            ECCP_KILL_AT: `${kill.boundary}#${String(kill.occurrence)}`,
            ECCP_KILL_TARGET: kill.victim.endsWith('-browser') ? 'browser' : 'self',
          }),
      ...(this.#plantedBug === null ? {} : { ECCP_PLANTED_BUG: this.#plantedBug }),
    }
  }

  async startNode(kill: KillPoint | null): Promise<void> {
    await this.#node?.kill('SIGTERM')
    this.#node = await startNodeProcess({
      dataDir: join(this.#home, 'node'),
      serverName,
      port: this.#port,
      publicUrl: this.proxy.url,
      env: this.#faults('node', kill),
    })
  }

  get nodeGone(): boolean {
    return this.#node === null || !isAlive(this.#node.pid)
  }

  async #launch(name: Name, kill: KillPoint | null): Promise<RunningApp> {
    this.#launches += 1
    const app = await launchApp({
      home: this.#home,
      profile: name,
      env: this.#faults(name, kill),
      executable: withFaults,
    })
    this.#apps.set(name, app)
    return app
  }

  /** Starts the app of a person and unlocks it; an armed one may die on the way, which is fine. */
  async open(name: Name, kill: KillPoint | null): Promise<void> {
    try {
      const { page } = await this.#launch(name, kill)
      await unlock(page)
      await expect(workspace(page)).toBeVisible({ timeout: 30_000 })
    } catch (error) {
      if (kill === null) throw error
    }
  }

  alive(name: Name): boolean {
    const app = this.#apps.get(name)
    return app !== undefined && isAlive(app.pid)
  }

  /** Ends what is left of a person's app, killed or not. */
  async close(name: Name): Promise<void> {
    const app = this.#apps.get(name)
    this.#apps.delete(name)
    if (app === undefined) return
    if (isAlive(app.pid)) process.kill(app.pid, 'SIGKILL')
    await Promise.race([
      app.close().catch(() => undefined),
      new Promise((resolve) => setTimeout(resolve, 3000)),
    ])
  }

  #page(name: Name) {
    const app = this.#apps.get(name)
    if (app === undefined) throw new Error(`${name} has no window`)
    return app.page
  }

  #call<N extends CallName>(name: Name, call: N, input: CallInput<N>): Promise<CallResult<N>> {
    return this.#page(name).evaluate(
      ([method, value]) =>
        (window as unknown as { privchat: Bridge }).privchat.call(method as never, value as never),
      [call, input] as const,
    )
  }

  async #account(name: Name): Promise<string> {
    const state = await this.#call(name, 'app.state', {})
    const account = state.ok ? state.value.accounts[0]?.account : undefined
    if (account === undefined) throw new Error(`${name} has no account`)
    return account
  }

  async #theRoom(name: Name): Promise<string> {
    const rooms = await this.#call(name, 'rooms.list', { account: this.#accounts.get(name) ?? '' })
    return rooms.ok ? (rooms.value.find((room) => room.membership === 'join')?.id ?? '') : ''
  }

  /** A person, whose app runs, invites somebody new, who accepts; nothing is written yet. */
  async meet(name: Name): Promise<Guest> {
    const guest = await Guest.arrive(
      { url: this.proxy.url, serverName },
      `guest${String(this.#guests.length)}`,
    )
    this.#guests.push({ host: name, guest })
    await startDirect(this.#page(name), guest.name)
    await guest.accept()
    return guest
  }

  /** What is wrong in the conversations with guests. */
  async guestsAgree(): Promise<string[]> {
    const wrong: string[] = []
    for (const { host, guest } of this.#guests)
      wrong.push(
        ...guest.ledger.judge(
          { [host]: await this.shown(host, guest.room), [guest.name]: await guest.shown() },
          this.proxy.exchanges,
        ),
      )
    return wrong
  }

  /** Says something; the ledger learns whether the app confirmed that it has it. */
  async say(name: Name, ledger: Ledger, room = this.#room): Promise<void> {
    this.#spoken += 1
    const text = `${name} ${String(this.#spoken)}`
    ledger.unconfirmed.add(text)
    const input = {
      account: this.#accounts.get(name) ?? '',
      room,
      text,
      replyTo: null,
      clientKey: `k${String(this.#spoken)}`,
    }
    const answer = await Promise.race([
      this.#call(name, 'message.send', input).catch(() => null),
      new Promise<null>((resolve) =>
        setTimeout(() => {
          resolve(null)
        }, 8000),
      ),
    ])
    if (answer?.ok !== true) return
    ledger.unconfirmed.delete(text)
    ledger.accepted.add(text)
  }

  /** The whole timeline as a person is shown it. */
  async shown(name: Name, room = this.#room): Promise<Shown> {
    const items: TimelineItem[] = []
    for (let before: string | null = null; ;) {
      const page: CallResult<'timeline.page'> = await this.#call(name, 'timeline.page', {
        account: this.#accounts.get(name) ?? '',
        room,
        before,
        limit: 200,
      })
      if (!page.ok) throw new Error(`the timeline of ${name} cannot be read: ${page.error.code}`)
      items.unshift(...page.value.items)
      before = page.value.older
      if (before === null) break
    }
    return shownOf(items)
  }

  get summary(): string {
    return `${String(this.#launches)} launches, ${String(this.#spoken)} messages, ${String(this.proxy.exchanges.length)} requests`
  }

  async end(): Promise<void> {
    for (const { guest } of this.#guests) await guest.leave()
    for (const name of names) await this.close(name)
    await this.#node?.kill('SIGTERM')
    await this.#proxy?.close()
    endPersonalNode(this.#home)
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
