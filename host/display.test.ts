import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium } from './find-chromium.ts'
import { type RunningHost, runHost, temporaryFolder, until } from './testing/run-host.ts'

const chromium = findChromium()
const hasXvfb = spawnSync('Xvfb', ['-help']).error === undefined

describe.skipIf(chromium === null || !hasXvfb)('with a display', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let display: ChildProcess
  let host: RunningHost

  beforeAll(async () => {
    folder = await temporaryFolder()
    const args = ['-displayfd', '3', '-screen', '0', '1400x900x24', '-nolisten', 'tcp']
    display = spawn('Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
    const [number] = (await once(display.stdio[3] as Readable, 'data')) as [Buffer]
    const env = { DISPLAY: `:${String(number).trim()}`, ECCP_HOST_HEADLESS: '' }
    host = runHost(folder.path, { env })
    await host.next('started')
    await host.main(`globalThis.other = new BrowserWindow({ width: 500, height: 400 })`)
    await host.main(`other.loadURL('app://main/index.html')`)
  })

  afterAll(async () => {
    await host.quit()
    display.kill()
    await folder.remove()
  })

  const inOther = (expression: string): Promise<unknown> =>
    host.main(`other.webContents.executeJavaScript(${JSON.stringify(expression)})`)

  test('opens windows without tabs and address bar', async () => {
    // A title bar of Chromium's own is all that is left; tabs and address bar take some 90 pixels.
    for (const ask of [host.page, inOther]) {
      await until(async () => {
        const furniture = Number(await ask('outerHeight - innerHeight'))
        return furniture >= 0 && furniture < 70
      })
    }
    expect(await inOther('[outerWidth, outerHeight]')).toEqual([500, 400])
  })

  test('moves and sizes them', async () => {
    await host.main('other.setBounds({ x: 20, y: 30, width: 640, height: 480 })')
    const place = '[screenX, screenY, outerWidth, outerHeight].join()'
    await until(async () => (await inOther(place)) === '20,30,640,480')
  })

  test('asks the app when a window is closed, and shows it anew if the app keeps it', async () => {
    await host.main(`void other.once('close', (event) => event.preventDefault())`)
    await host.main(`void other.webContents.command('Page.close').catch(() => {})`)
    await until(async () => (await host.main('other.listenerCount("close")')) === 0)
    await until(async () => (await inOther('document.title').catch(() => '')) !== '')
    await host.main(`void other.webContents.command('Page.close').catch(() => {})`)
    await until(async () => (await host.main('other.isDestroyed()')) === true)
  })
})

describe.skipIf(chromium === null || process.getuid?.() === 0)('the sandbox', () => {
  test('is given up, visibly, only where it does not work', async () => {
    const folder = await temporaryFolder()
    const fake = join(folder.path, 'chromium')
    const script =
      'case "$*" in *--no-sandbox*) exec ' +
      `"${chromium ?? ''}" "$@" ;; *) echo "No usable sandbox!" >&2; exit 1 ;; esac`
    writeFileSync(fake, `#!/bin/sh\n${script}\n`)
    chmodSync(fake, 0o755)
    const host = runHost(folder.path, { env: { ECCP_CHROMIUM: fake } })
    await host.next('started')
    expect(await host.page('document.title')).toContain('Development shell, not sandboxed')
    expect(host.errors()).toContain('cannot use its sandbox')
    await host.quit()
    await folder.remove()
  })
})
