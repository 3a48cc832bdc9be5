/**
 * Which shell runs the desktop app: real Electron where its binary is at hand or can be fetched, else
 * the development host on an installed Chromium. Knows how to get either; knows nothing of the app.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { findChromium } from '../../host/find-chromium.ts'
import { cacheFolder, hostExecutable, root } from './paths.ts'
import { run, runNode } from './run.ts'

export type Shell =
  | { readonly kind: 'electron'; readonly executable: string }
  | { readonly kind: 'host'; readonly executable: string; readonly chromium: string }

const electronPackage = join(root, 'node_modules', 'electron')
const refusalFile = join(cacheFolder, 'electron-unreachable')
const day = 24 * 3600 * 1000
const connectTimeout = 5000

function installedElectron(electronFolder: string): string | null {
  const pathFile = join(electronFolder, 'path.txt')
  if (!existsSync(pathFile)) return null
  const executable = join(electronFolder, 'dist', readFileSync(pathFile, 'utf8').trim())
  return existsSync(executable) ? executable : null
}

function reachable(url: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: url.hostname, port: Number(url.port || 443) })
    const done = (answer: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(() => {
      done(false)
    }, connectTimeout)
    socket.once('connect', () => {
      done(true)
    })
    socket.once('error', () => {
      done(false)
    })
  })
}

function rememberRefusal(): void {
  mkdirSync(cacheFolder, { recursive: true })
  writeFileSync(refusalFile, String(Date.now()))
}

function refusedLately(): boolean {
  if (!existsSync(refusalFile)) return false
  const at = Number(readFileSync(refusalFile, 'utf8'))
  return Number.isFinite(at) && Date.now() - at < day
}

/** Downloads Electron's binary with a progress line; Ctrl+C cancels and falls back to Chromium. */
async function fetchElectron(electronFolder: string): Promise<string | null> {
  const mirror = process.env['ELECTRON_MIRROR'] ?? 'https://github.com/'
  process.stdout.write('Looking for the Electron binary (at most 5 s) …\n')
  if (!(await reachable(new URL(mirror)))) {
    rememberRefusal()
    process.stdout.write(
      '  not reachable from here; using Chromium. Try again with --retry-electron.\n',
    )
    return null
  }
  const cancel = new AbortController()
  const onInterrupt = (): void => {
    cancel.abort()
  }
  process.on('SIGINT', onInterrupt)
  try {
    const { version } = JSON.parse(readFileSync(join(electronFolder, 'package.json'), 'utf8')) as {
      version: string
    }
    const checksums = JSON.parse(
      readFileSync(join(electronFolder, 'checksums.json'), 'utf8'),
    ) as Record<string, string>
    let shown = -1
    // Only here: the library takes longer to load than all else an ordinary start does.
    const { downloadArtifact } = await import('@electron/get')
    await downloadArtifact({
      version,
      artifactName: 'electron',
      platform: process.platform,
      arch: process.arch,
      checksums,
      downloadOptions: {
        quiet: true,
        signal: cancel.signal,
        getProgressCallback: (progress: { percent: number }) => {
          const percent = Math.floor(progress.percent * 100)
          if (percent !== shown)
            process.stdout.write(
              `\r  downloading Electron ${version}: ${String(percent)} % (Ctrl+C to use Chromium instead) `,
            )
          shown = percent
          return Promise.resolve()
        },
      },
    })
    process.stdout.write('\n')
    // The installer finds the archive in the cache that the download filled.
    const installed = await runNode([join(electronFolder, 'install.js')], { capture: true })
    if (installed.code === 0) return installedElectron(electronFolder)
    rememberRefusal()
    return null
  } catch {
    process.stdout.write(
      cancel.signal.aborted
        ? '\n  cancelled; using Chromium.\n'
        : '\n  the download failed; using Chromium.\n',
    )
    rememberRefusal()
    return null
  } finally {
    process.removeListener('SIGINT', onInterrupt)
  }
}

function isDebian(): boolean {
  return (
    process.platform === 'linux' &&
    existsSync('/etc/debian_version') &&
    existsSync('/usr/bin/apt-get')
  )
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** Installs Debian packages where this process may; says what it does. */
export async function installDebianPackages(packages: readonly string[]): Promise<boolean> {
  if (!isDebian() || !isRoot()) return false
  process.stdout.write(
    `Installing ${packages.join(', ')} from Debian's packages (running as root) …\n`,
  )
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '-q'], { capture: true, env })
  const result = await run(
    'apt-get',
    ['install', '-y', '-q', '--no-install-recommends', ...packages],
    { capture: true, env },
  )
  if (result.code !== 0) process.stderr.write(result.output.slice(-2000))
  return result.code === 0
}

async function chromiumPath(): Promise<string | null> {
  const found = findChromium()
  if (found !== null) return found
  if (await installDebianPackages(['chromium'])) return findChromium()
  return null
}

const howToGetChromium = (): string =>
  isDebian()
    ? 'sudo apt-get install chromium'
    : process.platform === 'darwin'
      ? 'brew install --cask chromium'
      : 'install Chromium, Google Chrome or Microsoft Edge'

/** Null where the app cannot run here; what to do has been printed then. */
export async function chooseShell(
  options: { retryElectron?: boolean; tryFetch?: boolean; electronFolder?: string } = {},
): Promise<Shell | null> {
  const electronFolder = options.electronFolder ?? electronPackage
  const electron =
    installedElectron(electronFolder) ??
    (options.tryFetch === true && (options.retryElectron === true || !refusedLately())
      ? await fetchElectron(electronFolder)
      : null)
  if (electron !== null) return { kind: 'electron', executable: electron }
  const chromium = await chromiumPath()
  if (chromium === null) {
    process.stderr.write(
      `There is neither an Electron binary nor a Chromium browser to show the app in. Run this once, then repeat the command:\n\n  ${howToGetChromium()}\n\n`,
    )
    return null
  }
  return { kind: 'host', executable: hostExecutable, chromium }
}

export function describeShell(shell: Shell): string {
  return shell.kind === 'electron'
    ? `Electron (${shell.executable})`
    : `development host on Chromium (${shell.chromium})`
}

export const hasDisplay = (): boolean =>
  process.platform !== 'linux' || Boolean(process.env['DISPLAY'] ?? process.env['WAYLAND_DISPLAY'])
