/**
 * What demonstrations share: real windows beside each other, progress on the terminal, screenshots and a
 * transcript in a folder whose name is printed. Nothing of it touches the user's own profiles.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { launchApp, type RunningApp } from '../../e2e/driver/app.ts'
import {
  startNodeProcess,
  type NodeOptions,
  type NodeProcess,
} from '../../e2e/driver/node-process.ts'
import { endPersonalNode } from '../../e2e/driver/personal-node.ts'
import { choosePassphrase, createAccount } from '../../e2e/driver/person.ts'
import { buildDesktop } from './build.ts'
import { artefactsFolder } from './paths.ts'
import { chooseShell, describeShell, hasDisplay } from './shell.ts'

export interface Player {
  readonly name: string
  readonly displayName: string
  readonly password: string
}

/** Waits until every one is ready, so that the first failure does not leave the others running. */
export async function all<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(work)
  const failed = results.find((result) => result.status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
}

export class DemoStage {
  readonly #folder: string
  readonly #home = mkdtempSync(join(tmpdir(), 'privchat-demo-'))
  readonly #transcript: string[] = []
  readonly #began = performance.now()
  readonly #apps = new Map<string, RunningApp>()
  readonly #nodes = new Map<string, NodeProcess>()

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true })
  }

  tell(line: string): void {
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(1)
    const text = `${seconds.padStart(6)} s  ${line}`
    this.#transcript.push(text)
    console.log(text)
  }

  /** Starts a node; again on what it has where one of that name ran before. */
  async node(options: Omit<NodeOptions, 'dataDir'>): Promise<NodeProcess> {
    const { serverName } = options
    const node = await startNodeProcess({ ...options, dataDir: join(this.#home, serverName) })
    this.#nodes.set(serverName, node)
    return node
  }

  /** A window at the place of its number, with a new account at `server`. */
  async window(player: Player, index: number, server: string): Promise<Page> {
    const app = await launchApp({ home: this.#home, profile: player.name })
    this.#apps.set(player.name, app)
    await app.electron.evaluate(({ BrowserWindow }, left) => {
      // Side by side; the hidden windows stay where they are.
      for (const window of BrowserWindow.getAllWindows())
        if (window.isVisible()) window.setBounds({ x: left, y: 0, width: 960, height: 900 })
    }, index * 960)
    await choosePassphrase(app.page)
    await createAccount(app.page, { ...player, server })
    return app.page
  }

  async picture(name: string): Promise<void> {
    for (const theme of ['light', 'dark'] as const) {
      for (const [who, { page }] of this.#apps) {
        await page.emulateMedia({ colorScheme: theme })
        await page.screenshot({ path: join(this.#folder, `${who}${name}-${theme}.png`) })
      }
    }
  }

  async pictureOfFailure(): Promise<void> {
    for (const [who, { page }] of this.#apps)
      await page
        .screenshot({ path: join(this.#folder, `failed-${who}.png`) })
        .catch(() => undefined)
  }

  async end(): Promise<void> {
    writeFileSync(join(this.#folder, 'transcript.txt'), `${this.#transcript.join('\n')}\n`)
    await Promise.allSettled([...this.#apps.values()].map((app) => app.close()))
    await Promise.allSettled([...this.#nodes.values()].map((node) => node.kill()))
    endPersonalNode(this.#home)
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    console.log(`Screenshots and transcript: ${this.#folder}`)
  }
}

/** Plays in `artefacts/NAME`; the exit code: 0 where the play came to its end. */
export async function perform(
  name: string,
  play: (stage: DemoStage) => Promise<void>,
): Promise<number> {
  const shell = await chooseShell({ tryFetch: true })
  if (shell === null || !(await buildDesktop())) return 1
  process.env['ECCP_E2E_EXECUTABLE'] = shell.executable
  const stage = new DemoStage(join(artefactsFolder, name))
  stage.tell(`Two windows in ${describeShell(shell)}${hasDisplay() ? '' : ', headless'}`)
  try {
    await play(stage)
    return 0
  } catch (error) {
    stage.tell(`The demo failed: ${error instanceof Error ? error.message : 'unknown error'}`)
    await stage.pictureOfFailure()
    return 1
  } finally {
    await stage.end()
  }
}
