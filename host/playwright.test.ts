import { _electron, type ElectronApplication, type Page } from '@playwright/test'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium } from './find-chromium.ts'
import { APP, HOST, temporaryFolder } from './testing/run-host.ts'

describe.skipIf(findChromium() === null)('the host under Playwright', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let app: ElectronApplication
  let page: Page

  beforeAll(async () => {
    folder = await temporaryFolder()
    app = await _electron.launch({
      executablePath: HOST,
      args: [APP, `--user-data-dir=${folder.path}`],
    })
    page = await app.firstWindow()
    await page.waitForSelector('h1')
  })

  afterAll(async () => {
    await app.close()
    await folder.remove()
  })

  test('evaluates in main', async () => {
    expect(await app.evaluate(({ app: it }) => [it.getName(), it.getVersion()])).toEqual([
      'host-fixture',
      '1.2.3',
    ])
    expect(await app.evaluate(({ app: it }) => it.getPath('userData'))).toBe(folder.path)
  })

  test('types, clicks and reads', async () => {
    await page.fill('#name', 'Ada')
    await page.click('#greet')
    await expect.poll(() => page.textContent('#out')).toBe('Hello, Ada')
  })

  test('finds the window of a page', async () => {
    const window = await app.browserWindow(page)
    expect(await window.evaluate((it) => it.getTitle())).toBe('Fixture page')
    expect(await page.evaluate('[innerWidth, innerHeight]')).toEqual([900, 640])
  })

  test('takes screenshots', async () => {
    const png = await page.screenshot()
    expect(png.readUInt32BE(16)).toBe(900)
  })

  test('shows the app only its visible windows', () => {
    expect(app.windows()).toHaveLength(1)
  })

  test('emulates a dark theme, and the app may choose one', async () => {
    const dark = () => page.evaluate(`matchMedia('(prefers-color-scheme: dark)').matches`)
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await dark()).toBe(true)
    await page.emulateMedia({ colorScheme: 'light' })
    expect(await dark()).toBe(false)
    await app.evaluate(({ nativeTheme }) => {
      nativeTheme.themeSource = 'dark'
    })
    await expect.poll(dark).toBe(true)
  })

  test('lets a test reload without asking the app', async () => {
    await page.reload()
    await page.waitForSelector('h1')
    expect(await page.evaluate(() => typeof (globalThis as { api?: unknown }).api)).toBe('object')
  })

  test('replaces a stand-in as in Electron', async () => {
    await app.evaluate(({ dialog }) => {
      dialog.showMessageBox = () => Promise.resolve({ response: 42, checkboxChecked: false })
    })
    expect(await app.evaluate(() => globalThis.fixture.ask())).toMatchObject({ response: 42 })
  })

  test('closes a window when its page is closed', async () => {
    await page.close()
    await expect
      .poll(() => app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length))
      .toBe(1)
  })
})

declare global {
  var fixture: { ask(): Promise<unknown> }
}
