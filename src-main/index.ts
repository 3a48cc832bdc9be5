/**
 * Composition root of the desktop app: puts the parts together and hands them Electron. Everything that
 * can be decided without Electron is decided elsewhere.
 */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import {
  Menu,
  Notification,
  app,
  clipboard,
  ipcMain,
  nativeTheme,
  protocol,
  safeStorage,
  session,
  shell,
} from 'electron'
import type { BrowserWindow } from 'electron'
import { version } from '../package.json' with { type: 'json' }
import { createNativeCrypto } from '../src-platform/crypto/native-crypto.ts'
import { createSystemClock } from '../src-platform/system-clock.ts'
import { createSystemRandom } from '../src-platform/system-random.ts'
import { callChannel, eventChannel } from '../src-shared/ipc/index.ts'
import { AppCore } from './app-core.ts'
import type { Shell } from './app-core.ts'
import { engineFactory } from './engine-port.ts'
import { dispatch } from './ipc/dispatch.ts'
import { EventQueue } from './ipc/event-queue.ts'
import { isTrustedSender } from './ipc/sender.ts'
import { createLog } from './log.ts'
import { nodeProgramOf } from './node/node-program.ts'
import { PersonalNode } from './node/personal-node.ts'
import { linkOf, pathsOf } from './paths.ts'
import { SettingsFile } from './settings-file.ts'
import { createKeychain } from './vault/keychain.ts'
import { KeyRing } from './vault/key-ring.ts'
import { appOrigin, appScheme, confineSession } from './windows/app-scheme.ts'
import { confineAllContents } from './windows/confine-contents.ts'
import { openMainWindow } from './windows/main-window.ts'
import { menuTemplate } from './windows/menu.ts'
import { createVaultPlaces } from './windows/vault-window.ts'

const paths = pathsOf({
  argv: process.argv.slice(1),
  env: process.env,
  platform: process.platform,
  userHome: homedir(),
})
const outFolder = join(import.meta.dirname, '..')
const pagesFolder = join(outFolder, 'renderer')
const title = paths.profile === 'default' ? 'PrivChat' : `PrivChat — ${paths.profile}`

protocol.registerSchemesAsPrivileged([appScheme])
app.enableSandbox()
app.setName('PrivChat')
mkdirSync(paths.profileFolder, { recursive: true, mode: 0o700 })
app.setPath('userData', paths.profileFolder)
app.setPath('sessionData', join(paths.profileFolder, 'browser'))
confineAllContents(app)

const log = createLog(process.env['ECCP_LOG'])
const random = createSystemRandom()
const crypto = createNativeCrypto()
/** Main windows by the id of their contents: the only ones that may call. */
const ownWindows = new Set<number>()
let mainWindow: BrowserWindow | null = null
let waitingLink: string | null = null

const queue = new EventQueue((batch) => mainWindow?.webContents.send(eventChannel, batch))

function showWindow(): void {
  if (mainWindow === null) {
    openWindow()
    return
  }
  if (mainWindow.isMinimized()) mainWindow.restore()
  mainWindow.show()
  mainWindow.focus()
}

function openWindow(): void {
  const window = openMainWindow({
    preload: join(outFolder, 'preload', 'index.cjs'),
    statePath: join(paths.profileFolder, 'window.json'),
    title,
  })
  const { id } = window.webContents
  ownWindows.add(id)
  mainWindow = window
  window.on('closed', () => {
    ownWindows.delete(id)
    mainWindow = null
    queue.clear()
    // The vault's hidden window never closes by itself, so the last visible one decides.
    if (process.platform !== 'darwin') app.quit()
  })
}

function openLink(link: string): void {
  showWindow()
  if (core.state.stage === 'ready') queue.push('link', { link })
  else waitingLink = link
}

/** Notifications that are still on the screen; Electron drops ones that nobody holds. */
const shown = new Set<Notification>()

const desktop: Shell = {
  openExternal: (url) => shell.openExternal(url),
  copyText: (text) => clipboard.writeText(text),
  isFocused: () => mainWindow?.isFocused() ?? false,
  showWindow,
  hasWindow: () => mainWindow !== null,
  setTheme(theme) {
    nativeTheme.themeSource = theme
  },
  notify(content, onClick) {
    if (!Notification.isSupported()) return
    const notification = new Notification({ ...content })
    shown.add(notification)
    notification.on('click', onClick)
    notification.on('close', () => shown.delete(notification))
    notification.show()
  },
  async openSecondProfile() {
    const args = app.isPackaged ? [] : [import.meta.filename]
    if (app.commandLine.hasSwitch('no-sandbox')) args.unshift('--no-sandbox')
    const child = spawn(app.getPath('exe'), [...args, '--profile', 'second'], {
      detached: true,
      stdio: 'ignore',
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    child.unref()
  },
}

const node = new PersonalNode({
  folder: paths.nodeFolder,
  program: nodeProgramOf({
    env: process.env,
    execPath: process.execPath,
    entry: join(import.meta.dirname, 'node.js'),
  }),
  random,
  log,
  onChange: () => core.nodeChanged(),
})

const core = new AppCore({
  profileFolder: paths.profileFolder,
  keyRing: new KeyRing({
    path: join(paths.profileFolder, 'vault-key.json'),
    keychain: createKeychain(safeStorage, process.platform),
    crypto,
    random,
  }),
  places: createVaultPlaces({
    folder: pagesFolder,
    preload: join(outFolder, 'preload', 'vault.cjs'),
    log,
  }),
  engines: engineFactory,
  settings: new SettingsFile(join(paths.profileFolder, 'settings.json')),
  node,
  shell: desktop,
  crypto,
  random,
  clock: createSystemClock(),
  log,
  version,
  deviceName: `PrivChat on ${systemName(process.platform)}`,
  developmentShell: !app.isPackaged,
  emit(name, payload) {
    queue.push(name, payload)
    if (name === 'app.state' && waitingLink !== null && core.state.stage === 'ready') {
      queue.push('link', { link: waitingLink })
      waitingLink = null
    }
  },
})

function systemName(platform: NodeJS.Platform): string {
  switch (platform) {
    case 'darwin':
      return 'macOS'
    case 'win32':
      return 'Windows'
    default:
      return 'Linux'
  }
}

function serveIpc(): void {
  ipcMain.handle(callChannel, (event, name: unknown, input: unknown) => {
    if (!isTrustedSender(event, appOrigin, ownWindows)) {
      log('ipc.foreign_sender')
      return { ok: false, error: { code: 'not_allowed' } }
    }
    return dispatch(core.handlers, log, name, input)
  })
}

async function start(): Promise<void> {
  confineSession(session.defaultSession, {
    folder: pagesFolder,
    origin: appOrigin,
    permissions: [],
  })
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(process.platform)))
  if (app.isPackaged) app.setAsDefaultProtocolClient('eccp')
  serveIpc()
  openWindow()
  const link = linkOf(process.argv)
  if (link !== null) openLink(link)
  await core.start()
}

let hasStopped = false
let stopping: Promise<void> | null = null

if (app.requestSingleInstanceLock()) {
  app.on('second-instance', (_event, argv) => {
    const link = linkOf(argv)
    if (link === null) showWindow()
    else openLink(link)
  })
  app.on('open-url', (event, url) => {
    event.preventDefault()
    openLink(url)
  })
  app.on('activate', showWindow)
  app.on('before-quit', (event) => {
    if (hasStopped) return
    // Engines finish their commits and vaults close before the windows go.
    event.preventDefault()
    stopping ??= core
      .stop()
      .catch(() => log('app.stop_failed'))
      .finally(() => {
        hasStopped = true
        app.quit()
      })
  })
  void app
    .whenReady()
    .then(start)
    .catch((error: unknown) => {
      log('app.failed', { error: error instanceof Error ? error.message : 'unknown' })
    })
} else {
  process.stdout.write('PrivChat is running already; its window is in front now.\n')
  app.quit()
}
