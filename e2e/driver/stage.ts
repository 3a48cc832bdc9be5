/**
 * Where a specification plays: a folder of its own, a node, and people whose apps run on it. Sets the
 * scene and clears it away; what people do is in person.ts.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, type Page } from '@playwright/test'
import { launchApp, withFaults, type RunningApp } from './app.ts'
import { watchDesktop } from './desktop.ts'
import { freePort, startNodeProcess, type NodeProcess } from './node-process.ts'
import { accept, choosePassphrase, createAccount, startDirect, unlock } from './person.ts'
import { endPersonalNode } from './personal-node.ts'
import { startRecordingProxy, type RecordingProxy } from './recording-proxy.ts'

const fault = (name: string): string =>
  pathToFileURL(join(import.meta.dirname, '..', 'faults', `${name}.ts`)).href
const dayAhead = fault('day-ahead')

export const passwordOf = (name: string): string => `the garden of ${name} has a gate`

type Keychain = 'open' | 'locked' | 'changed'

/** Somebody at a desktop of their own; the window changes when the app is started again. */
export class Person {
  readonly name: string
  readonly displayName: string
  readonly profile: string
  words: readonly string[] = []
  #app: RunningApp | null = null

  constructor(name: string, displayName: string, profile: string) {
    this.name = name
    this.displayName = displayName
    this.profile = profile
  }

  get password(): string {
    return passwordOf(this.name)
  }

  get app(): RunningApp {
    if (this.#app === null) throw new Error(`the app of ${this.name} is not open`)
    return this.#app
  }

  set app(app: RunningApp) {
    this.#app = app
  }

  get page(): Page {
    return this.app.page
  }

  async quit(): Promise<void> {
    const app = this.#app
    this.#app = null
    await app?.close()
  }
}

export class Stage {
  readonly home: string
  readonly #people = new Set<Person>()
  #node: NodeProcess | null = null
  #proxy: RecordingProxy | null = null
  #port = 0
  #nodeArgs: readonly string[] = []

  private constructor() {
    this.home = mkdtempSync(join(tmpdir(), 'privchat-e2e-'))
  }

  /** A folder without a node: the personal one is the app's own to start. */
  static empty(): Stage {
    return new Stage()
  }

  static async withNode(): Promise<Stage> {
    const stage = new Stage()
    stage.#port = await freePort()
    await stage.startNode()
    return stage
  }

  /** People reach the node through a proxy that can be slow, cut or gone. */
  static async withProxy(nodeArgs: readonly string[] = []): Promise<Stage> {
    const stage = new Stage()
    stage.#nodeArgs = nodeArgs
    stage.#port = await freePort()
    stage.#proxy = await startRecordingProxy(`http://127.0.0.1:${String(stage.#port)}`)
    await stage.startNode()
    return stage
  }

  get node(): NodeProcess {
    if (this.#node === null) throw new Error('this stage has no node')
    return this.#node
  }

  get proxy(): RecordingProxy {
    if (this.#proxy === null) throw new Error('this stage has no proxy')
    return this.#proxy
  }

  /** Where people find the server. */
  get address(): string {
    return this.#proxy?.url ?? this.node.url
  }

  /** Starts the node, again on the same data and address if it ran before. */
  async startNode(): Promise<void> {
    this.#node = await startNodeProcess({
      dataDir: join(this.home, 'server'),
      serverName: 'garden.example',
      port: this.#port,
      args: this.#nodeArgs,
      ...(this.#proxy === null ? {} : { publicUrl: this.#proxy.url }),
      env: { NODE_OPTIONS: `--import ${dayAhead}` },
    })
  }

  profileFolder(profile: string): string {
    return join(this.home, 'profiles', profile)
  }

  /** Opens the app, as far as its first screen. */
  async open(person: Person): Promise<Page> {
    this.#people.add(person)
    person.app = await launchApp({ home: this.home, profile: person.profile })
    await watchDesktop(person.app)
    return person.page
  }

  /** As `open`, on a computer with a keychain, which is as it is said here from now on. */
  async openWithKeychain(person: Person, keychain: Keychain): Promise<Page> {
    this.#people.add(person)
    this.setKeychain(keychain)
    person.app = await launchApp({
      home: this.home,
      profile: person.profile,
      executable: withFaults,
      env: {
        ECCP_FAULT_OPTIONS: `--import ${fault('keychain')}`,
        ECCP_KEYCHAIN_FILE: this.#keychainFile,
      },
    })
    return person.page
  }

  setKeychain(keychain: Keychain): void {
    writeFileSync(this.#keychainFile, keychain)
  }

  get #keychainFile(): string {
    return join(this.home, 'keychain')
  }

  /** A desktop on which a passphrase was chosen and nothing else. */
  async desktop(name: string, displayName = name, profile = name): Promise<Person> {
    const person = new Person(name, displayName, profile)
    await choosePassphrase(await this.open(person))
    return person
  }

  /** Somebody with a new account, in an empty workspace. */
  async newcomer(name: string, displayName: string, server = this.address): Promise<Person> {
    const person = await this.desktop(name, displayName)
    person.words = await createAccount(person.page, {
      name,
      displayName,
      password: person.password,
      server,
    })
    return person
  }

  /** Opens an app that was closed, and unlocks it. */
  async reopen(person: Person): Promise<void> {
    await this.open(person)
    await unlock(person.page)
    await expect(person.page.getByLabel('Passphrase', { exact: true })).toBeHidden()
  }

  async restart(person: Person): Promise<void> {
    await person.quit()
    await this.reopen(person)
  }

  async end(): Promise<void> {
    for (const person of this.#people) await person.quit().catch(() => undefined)
    await this.#node?.kill()
    await this.#proxy?.close()
    endPersonalNode(this.home)
    rmSync(this.home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}

/** Two people who have a conversation with each other, open in both windows. */
export async function acquaint(one: Person, other: Person): Promise<void> {
  await startDirect(one.page, other.name)
  await accept(other.page, one.displayName)
  for (const person of [one, other])
    await expect(person.page.getByRole('textbox', { name: /^Message to / })).toBeVisible()
}
