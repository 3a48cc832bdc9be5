/**
 * The personal node: a homeserver of this computer's user, in a process of its own that outlives the
 * app. Owns its name, its port and its start; knows nothing of accounts.
 *
 * Server name and port are chosen once and kept, since user ids carry the name. Where the port is taken,
 * another is used for the time being. A node that runs is recognised by name and signing key, never by
 * a process number: those are reused.
 *
 *   <folder>/identity.json   name, and since the first start signing key and preferred port
 *   <folder>/running.json    written by the node when it is ready; may be stale
 *   <folder>/start.lock      held while one profile starts the node, so that two don't
 *   <folder>/data/           the node's own
 */
import { spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { readFileOrNull, writeFileAtomically } from '../../src-platform/atomic-file.ts'
import type { Capabilities } from '../../src-shared/api/index.ts'
import type { Log, Random } from '../../src-shared/client/index.ts'
import { AppError } from '../app-error.ts'
import { capabilitiesOf } from '../homeserver.ts'

export interface NodeProgram {
  readonly command: string
  /** Before the node's own arguments. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export interface PersonalNodeOptions {
  readonly folder: string
  readonly program: NodeProgram
  readonly random: Random
  readonly log: Log
  readonly onChange?: () => void
  readonly startTimeoutMs?: number
}

export interface PersonalNodeState {
  readonly state: 'running' | 'starting' | 'stopped' | 'none'
  readonly url: string | null
  readonly serverName: string | null
}

const identitySchema = z.object({
  serverName: z.string(),
  /** Null until the node has run once. */
  signingKey: z.string().nullable(),
  port: z.int().min(1).max(65_535).nullable(),
})
type Identity = z.infer<typeof identitySchema>
const runningSchema = z.object({
  pid: z.int().positive(),
  url: z.string().max(256),
  serverName: z.string(),
  signingKey: z.string(),
})

const PROBE_MS = 1_000
const POLL_MS = 60
/** A lock older than this was left behind, whatever process has its number now. */
const STALE_LOCK_MS = 60_000
const MAX_LOG_BYTES = 4 * 1024 * 1024
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const urlOf = (port: number): string => `http://127.0.0.1:${port}`

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  const bytes = await readFileOrNull(path)
  if (bytes === null) return null
  try {
    return schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))
  } catch {
    return null
  }
}

export class PersonalNode {
  readonly #o: PersonalNodeOptions
  #state: PersonalNodeState = { state: 'none', url: null, serverName: null }
  #ensuring: Promise<string> | null = null
  #checking: Promise<void> | null = null

  constructor(options: PersonalNodeOptions) {
    this.#o = options
  }

  get state(): PersonalNodeState {
    return this.#state
  }

  /** Whether this computer has a personal node at all, running or not. */
  exists(): boolean {
    return existsSync(this.#path('identity.json'))
  }

  /** The URL of the running node, started where none runs. Throws `AppError('homeserver_unreachable')`. */
  ensure(): Promise<string> {
    this.#ensuring ??= this.#ensure().finally(() => {
      this.#ensuring = null
    })
    return this.#ensuring
  }

  /** Where the node was last seen, without asking it; starts it where it never was. */
  async url(): Promise<string> {
    return this.#state.url ?? (await this.ensure())
  }

  /** Looks whether it still runs, and starts it again where not. Never throws. */
  check(): Promise<void> {
    this.#checking ??= this.#check()
      .catch(() => {})
      .finally(() => {
        this.#checking = null
      })
    return this.#checking
  }

  async #check(): Promise<void> {
    const { url, serverName } = this.#state
    if (url !== null && serverName !== null) {
      const identity = await this.#identity()
      if (identity !== null && (await this.#isOurs(identity, url))) return
    }
    await this.ensure()
  }

  #path(name: string): string {
    return join(this.#o.folder, name)
  }

  #noted(): Promise<Identity | null> {
    return readJson(this.#path('identity.json'), identitySchema)
  }

  /** As noted; where the note is lost or damaged, as the node itself last said. Null where it never ran. */
  async #identity(): Promise<Identity | null> {
    const noted = await this.#noted()
    if (noted !== null) return noted
    const last = await readJson(this.#path('running.json'), runningSchema)
    if (last === null || !URL.canParse(last.url)) return null
    const { serverName, signingKey, url } = last
    return { serverName, signingKey, port: Number(new URL(url).port) || null }
  }

  #set(state: PersonalNodeState): void {
    const { state: what, url, serverName } = this.#state
    if (what === state.state && url === state.url && serverName === state.serverName) return
    this.#state = state
    this.#o.onChange?.()
  }

  async #ensure(): Promise<string> {
    mkdirSync(this.#o.folder, { recursive: true, mode: 0o700 })
    const known = await this.#identity()
    const found = known === null ? null : await this.#findRunning(known)
    if (known !== null && found !== null) {
      this.#set({ state: 'running', url: found, serverName: known.serverName })
      return found
    }
    this.#set({ state: 'starting', url: null, serverName: known?.serverName ?? null })
    const release = await this.#lock()
    try {
      const identity = (await this.#identity()) ?? (await this.#newIdentity())
      // Another profile may have started it while this one waited.
      const url = (await this.#findRunning(identity)) ?? (await this.#start(identity))
      this.#set({ state: 'running', url, serverName: identity.serverName })
      return url
    } catch (error) {
      this.#set({ state: 'stopped', url: null, serverName: known?.serverName ?? null })
      throw error
    } finally {
      release()
    }
  }

  /** Refused where there is data: its name can't change, and another one would bury the accounts on it. */
  async #newIdentity(): Promise<Identity> {
    const data = this.#path('data')
    if (existsSync(data) && readdirSync(data).length > 0) {
      this.#o.log('personal_node.nameless')
      throw new AppError('homeserver_unreachable')
    }
    const bytes = this.#o.random.bytes(10)
    const label = [...bytes].map((byte) => ALPHABET[byte % ALPHABET.length]).join('')
    const identity: Identity = {
      serverName: `${label}.personal`,
      signingKey: null,
      port: null,
    }
    await this.#writeIdentity(identity)
    return identity
  }

  #writeIdentity(identity: Identity): Promise<void> {
    return writeFileAtomically(this.#path('identity.json'), JSON.stringify(identity, null, 2))
  }

  async #capabilities(url: string): Promise<Capabilities | null> {
    return capabilitiesOf(url, PROBE_MS).catch(() => null)
  }

  async #isOurs(identity: Identity, url: string): Promise<boolean> {
    const found = await this.#capabilities(url)
    return (
      found !== null &&
      found.server_name === identity.serverName &&
      (identity.signingKey === null || found.signing_key.ed25519 === identity.signingKey)
    )
  }

  async #findRunning(identity: Identity): Promise<string | null> {
    const running = await readJson(this.#path('running.json'), runningSchema)
    const urls = new Set<string>()
    if (running !== null) urls.add(running.url)
    if (identity.port !== null) urls.add(urlOf(identity.port))
    for (const url of urls) if (await this.#isOurs(identity, url)) return url
    return null
  }

  async #start(identity: Identity): Promise<string> {
    const deadline = Date.now() + (this.#o.startTimeoutMs ?? 20_000)
    // The kept port first; where something else has taken it, any.
    for (const port of [identity.port ?? 0, 0, 0]) {
      if (Date.now() >= deadline) break
      const hasEnded = this.#spawn(identity, port)
      while (!hasEnded() && Date.now() < deadline) {
        // An older note stays until it is replaced: it may be of a node that was only slow to answer.
        const running = await readJson(this.#path('running.json'), runningSchema)
        if (running !== null && (await this.#isOurs(identity, running.url)))
          return this.#started(identity, running)
        await pause(POLL_MS)
      }
      // It may have ended because one runs already that was slow to answer.
      const found = await this.#findRunning(identity)
      if (found !== null) return found
    }
    this.#o.log('personal_node.failed')
    throw new AppError('homeserver_unreachable')
  }

  async #started(identity: Identity, running: z.infer<typeof runningSchema>): Promise<string> {
    const { signingKey, url } = running
    const port = identity.port ?? Number(new URL(url).port)
    const noted = await this.#noted()
    if (signingKey !== noted?.signingKey || port !== noted.port) {
      await this.#writeIdentity({ ...identity, signingKey, port })
    }
    this.#o.log('personal_node.started', { port: Number(new URL(url).port) })
    return url
  }

  /** Returns a function that tells whether the process has ended. */
  #spawn(identity: Identity, port: number): () => boolean {
    const { program } = this.#o
    const args = [
      ...program.args,
      'serve',
      '--server-name',
      identity.serverName,
      '--listen',
      `127.0.0.1:${port}`,
      '--data',
      this.#path('data'),
      '--port-file',
      this.#path('running.json'),
    ]
    const log = openSync(this.#path('node.log'), this.#isLogLarge() ? 'w' : 'a', 0o600)
    let hasEnded = false
    const child = spawn(program.command, args, {
      cwd: this.#o.folder,
      detached: true,
      env: { ...process.env, ...program.env },
      stdio: ['ignore', log, log],
      windowsHide: true,
    })
    closeSync(log)
    for (const event of ['exit', 'error']) {
      child.once(event, () => {
        hasEnded = true
      })
    }
    child.unref()
    return () => hasEnded
  }

  #isLogLarge(): boolean {
    const path = this.#path('node.log')
    return existsSync(path) && statSync(path).size > MAX_LOG_BYTES
  }

  /** Waits for the start lock; one whose holder is gone is taken over. */
  async #lock(): Promise<() => void> {
    const path = this.#path('start.lock')
    for (;;) {
      try {
        writeFileSync(path, String(process.pid), { flag: 'wx', mode: 0o600 })
        return () => rmSync(path, { force: true })
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
      }
      if (isLeftBehind(path)) rmSync(path, { force: true })
      else await pause(POLL_MS)
    }
  }
}

function isLeftBehind(path: string): boolean {
  try {
    if (Date.now() - statSync(path).mtimeMs > STALE_LOCK_MS) return true
    const pid = Number(readFileSync(path, 'utf8'))
    // Created and not yet written: its holder is at it.
    return pid > 0 && !isAlive(pid)
  } catch {
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
