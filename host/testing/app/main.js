/** The fixture's main process: what an app of ours does, and probes for the tests. */
import {
  app,
  BrowserWindow,
  developmentHost,
  dialog,
  ipcMain,
  MessageChannelMain,
  nativeTheme,
  Notification,
  protocol,
  session,
  shell,
} from 'electron'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const here = import.meta.dirname
const seen = { secondInstances: [], denied: [], navigations: [], gone: [] }
const report = (name, value) => process.stdout.write(`${JSON.stringify([name, value])}\n`)

protocol.registerSchemesAsPrivileged([
  { scheme: 'app', privileges: { standard: true, secure: true } },
])

const TYPES = { html: 'text/html', js: 'text/javascript' }

async function serve(request) {
  const { pathname, host } = new URL(request.url)
  if (host !== 'main' && host !== 'vault') return new Response('', { status: 404 })
  if (pathname === '/echo') {
    return Response.json({ url: request.url, method: request.method, body: await request.text() })
  }
  const name = pathname.slice(1)
  const headers = {
    'content-type': TYPES[name.split('.').pop()] ?? 'application/octet-stream',
    'content-security-policy':
      "default-src 'none'; frame-src 'self'; script-src 'self'; connect-src app: 'self'",
  }
  try {
    return new Response(await readFile(join(here, name)), { headers })
  } catch {
    return new Response('', { status: 404 })
  }
}

let main = null
let vault = null
let vaultPort = null
const vaultCalls = new Map()
let lastCall = 0

function askVault(op, ...args) {
  return new Promise((resolve, reject) => {
    const id = ++lastCall
    vaultCalls.set(id, { resolve, reject })
    vaultPort.postMessage({ id, op, args })
  })
}

async function openVault() {
  const { port1, port2 } = new MessageChannelMain()
  vaultPort = port1
  port1.on('message', ({ data }) => {
    vaultCalls.get(data.id)?.resolve(data.result)
    vaultCalls.delete(data.id)
  })
  port1.on('close', () => {
    for (const { reject } of vaultCalls.values()) reject(new Error('The vault is gone'))
    vaultCalls.clear()
    report('vault-closed', null)
  })
  port1.start()
  await vault.loadURL('app://vault/vault.html')
  vault.webContents.postMessage('vault-port', null, [port2])
}

async function start() {
  const vaultSession = session.fromPartition('persist:vault')
  for (const it of [session.defaultSession, vaultSession]) {
    it.protocol.handle('app', serve)
    it.setPermissionRequestHandler((_contents, _permission, answer) => answer(false))
    it.setPermissionCheckHandler(() => false)
    it.webRequest.onBeforeRequest({ urls: ['<all_urls>'] }, (details, answer) => {
      const cancel = !details.url.startsWith('app://')
      if (cancel) seen.denied.push(details.url)
      answer({ cancel })
    })
  }
  main = new BrowserWindow({
    width: 900,
    height: 640,
    title: 'Fixture',
    webPreferences: { preload: join(here, 'preload.cjs') },
  })
  main.webContents.setWindowOpenHandler(({ url }) => {
    void shell.openExternal(url)
    return { action: 'deny' }
  })
  main.webContents.on('will-navigate', (event) => {
    seen.navigations.push(event.url)
    if (!event.url.startsWith('app://main/')) event.preventDefault()
  })
  app.on('render-process-gone', (_event, contents, details) => {
    seen.gone.push([contents === main.webContents ? 'main' : 'vault', details.reason])
    report('gone', seen.gone.at(-1))
  })
  vault = new BrowserWindow({
    show: false,
    webPreferences: { preload: join(here, 'vault-preload.cjs'), partition: 'persist:vault' },
  })
  await Promise.all([main.loadURL('app://main/index.html'), openVault()])
  report('started', await askVault('count'))
}

ipcMain.handle('echo', (_event, ...args) => args)
ipcMain.handle('who', (event) => ({
  url: event.senderFrame.url,
  origin: event.senderFrame.origin,
  known: BrowserWindow.fromWebContents(event.sender) === main,
}))
ipcMain.handle('fail', () => {
  throw new TypeError('no such thing')
})
ipcMain.handle('vault', (_event, op, ...args) => askVault(op, ...args))
ipcMain.handle('shut', () => main.close())
ipcMain.on('ports', (event, message) => {
  const [port] = event.ports
  port.on('message', ({ data, ports }) => {
    if (ports.length > 0) ports[0].postMessage({ through: data })
    else port.postMessage({ back: data, first: message })
  })
  port.on('close', () => report('port-closed', message))
  port.start()
})

globalThis.fixture = {
  seen,
  askVault,
  openVault,
  main: () => main,
  vault: () => vault,
  notify() {
    const notification = new Notification({ title: 'Hello', body: 'there' })
    notification.on('click', () => seen.denied.push('clicked'))
    notification.show()
  },
  ask: () =>
    dialog.showMessageBox(main, { message: 'Really?', buttons: ['Yes', 'No'], cancelId: 1 }),
  dark(source) {
    nativeTheme.themeSource = source
  },
}

if (app.requestSingleInstanceLock({ hello: 'first' })) {
  app.on('second-instance', (_event, argv, _cwd, data) => {
    seen.secondInstances.push(argv.at(-1))
    report('second-instance', [argv.at(-1), data])
  })
  app.on('window-all-closed', () => app.quit())
  void app.whenReady().then(start)
  // Tests without Playwright speak through stdin: one expression a line.
  createInterface({ input: process.stdin }).on('line', async (line) => {
    const { id, expression } = JSON.parse(line)
    try {
      report(`result-${id}`, [true, await eval(expression)])
    } catch (error) {
      report(`result-${id}`, [false, String(error)])
    }
  })
  process.stdin.unref?.()
} else {
  report('second', true)
  app.quit()
}
