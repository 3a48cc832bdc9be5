/**
 * Stands in for Electron's own start: reads the command line, maps `electron` to the host,
 * evaluates the app's main script and only then lets the app become ready.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createRequire, registerHooks } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as electron from './electron-module.ts'
import { environment } from './environment.ts'
import { HostError, notSupported } from './host-error.ts'
import './requests.ts'

interface AppFolder {
  main: string
  folder: string
  name: string | null
  version: string | null
}

function readApp(path: string): AppFolder {
  const target = resolve(path)
  if (!existsSync(target)) {
    throw new HostError('start_failed', `Unable to find an app at ${target}`)
  }
  const folder = statSync(target).isDirectory() ? target : dirname(target)
  const manifestPath = join(folder, 'package.json')
  const manifest = existsSync(manifestPath)
    ? (JSON.parse(readFileSync(manifestPath, 'utf8')) as Record<string, string | undefined>)
    : {}
  const main = folder === target ? resolve(folder, manifest['main'] ?? 'index.js') : target
  const name = manifest['productName'] ?? manifest['name'] ?? null
  return { main, folder, name, version: manifest['version'] ?? null }
}

/** Electron reads its own switches up to the app's path; the app sees all of them. */
function readArguments(args: string[]): string {
  const app = args.find((arg) => !arg.startsWith('-'))
  if (app === undefined) throw notSupported('Starting without an app')
  for (const arg of args) {
    if (arg === '--no-sandbox') environment.sandbox = false
    const port = /^--remote-debugging-port=(\d+)$/.exec(arg)?.[1]
    if (port !== undefined) environment.debuggingPort = Number(port)
    const userData = /^--user-data-dir=(.+)$/.exec(arg)?.[1]
    if (userData !== undefined) electron.app.setPath('userData', resolve(userData))
  }
  return app
}

function mapElectron(): void {
  const url = new URL('electron-module.ts', import.meta.url).href
  registerHooks({
    resolve(specifier, context, next) {
      if (/^electron(\/(main|common))?$/.test(specifier)) return { url, shortCircuit: true }
      return next(specifier, context)
    },
  })
}

function pretend(args: string[]): void {
  const require = createRequire(import.meta.url)
  const { version } = require('electron/package.json') as { version: string }
  const versions = { ...process.versions, electron: version }
  Object.defineProperty(process, 'versions', { value: versions, enumerable: true })
  Object.assign(process, { type: 'browser', defaultApp: true, resourcesPath: import.meta.dirname })
  process.argv = [process.env['ECCP_HOST_PATH'] ?? process.execPath, ...args]
  delete process.env['ECCP_HOST_PATH']
}

/** Runs the app named by a command line as given to an `electron` binary. */
export async function main(args: string[]): Promise<void> {
  pretend(args)
  const { app } = electron
  const found = readApp(readArguments(args))
  app.setAppPath(found.folder)
  if (found.name !== null) app.setName(found.name)
  if (found.version !== null) app.setVersion(found.version)
  mapElectron()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => (app.isQuitting() ? process.exit(1) : app.quit()))
  }
  // A reader that went away must not end the app, nor make its own report fail again.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${error.stack ?? String(error)}\n`)
  })
  await import(pathToFileURL(found.main).href)
  // Windows wait for Chromium by themselves; the app need not.
  app.startBrowser().catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`)
    app.exit(1)
  })
  app.becomeReady()
  // Node loads its fetch classes on first use; the first page would wait for that.
  setImmediate(() => void new Response('').arrayBuffer())
}
