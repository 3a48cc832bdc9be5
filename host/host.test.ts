import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium } from './find-chromium.ts'
import {
  chromiumOn,
  type RunningHost,
  runHost,
  temporaryFolder,
  until,
} from './testing/run-host.ts'

describe.skipIf(findChromium() === null)('an app in the host', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let host: RunningHost

  beforeAll(async () => {
    folder = await temporaryFolder()
    host = runHost(folder.path)
    await host.next('started')
  })

  afterAll(async () => {
    await host.quit()
    await folder.remove()
  })

  test('shows its page to the preload and hides the preload from the page', async () => {
    expect(await host.page('[hadApi, typeof require, typeof process]')).toEqual([
      true,
      'undefined',
      'undefined',
    ])
    expect(await host.page('[api.platform, api.nested.deep.version]')).toEqual([
      process.platform,
      expect.stringMatching(/^\d+\./),
    ])
  })

  test('keeps the exposed interface out of frames', async () => {
    const inner = "document.querySelector('iframe').contentDocument.title"
    await until(async () => (await host.page(inner)) === 'undefined')
  })

  test('carries structured values both ways', async () => {
    const seen = await host.page(`
      api.echo(new Date(5), new Map([['a', { b: 1n }]]), new Uint8Array([1, 2]), 10n ** 30n,
        undefined, NaN).then(([date, map, bytes, big, nothing, nan]) => [
          date instanceof Date && date.getTime(),
          map instanceof Map && String(map.get('a').b),
          bytes instanceof Uint8Array && [...bytes],
          typeof big + big,
          nothing === undefined,
          Number.isNaN(nan),
        ])`)
    expect(seen).toEqual([5, '1', [1, 2], 'bigint1000000000000000000000000000000', true, true])
  })

  test('reports a failed call by name, and refuses what cannot be cloned', async () => {
    expect(await host.page('api.fail().catch((error) => error.message)')).toBe(
      "Error invoking remote method 'fail': TypeError: no such thing",
    )
    expect(
      await host.page(
        'Promise.resolve().then(() => api.echo(Symbol())).catch((error) => error.message)',
      ),
    ).toContain('could not be cloned')
  })

  test('answers twenty calls at once', async () => {
    const calls = 'Promise.all(Array.from({ length: 20 }, (_, i) => api.echo(i)))'
    expect(await host.page(calls)).toEqual(Array.from({ length: 20 }, (_, i) => [i]))
  })

  test('tells handlers the app address of the frame that called', async () => {
    expect(await host.page('api.who()')).toEqual({
      url: 'app://main/index.html',
      origin: 'app://main',
      known: true,
    })
  })

  test('passes functions, promises and errors between the worlds', async () => {
    expect(await host.page('api.each([1, 2], (item) => item * 10)')).toEqual([10, 20])
    expect(await host.page('api.later(1, { done: new Date(3) }).then((it) => +it.done)')).toBe(3)
    expect(
      await host.page('(() => { try { api.boom() } catch (error) { return String(error) } })()'),
    ).toBe('RangeError: over there')
  })

  test('sends to listeners until they unsubscribe', async () => {
    await host.page(`void (window.got = [], window.stop = api.on('news', (...it) => got.push(it)))`)
    await host.main(`fixture.main().webContents.send('news', 1, [new Date(2)])`)
    await until(async () => (await host.page('got.length')) === 1)
    await host.page('stop()')
    await host.main(`fixture.main().webContents.send('news', 3)`)
    await host.page('api.echo()')
    expect(await host.page('got.map(([n, [date]]) => [n, +date])')).toEqual([[1, 2]])
  })

  test('moves message ports from the page to main, and ports over ports', async () => {
    const seen = await host.page(`new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel()
      const got = []
      port1.onmessage = ({ data }) => {
        got.push(data)
        const inner = new MessageChannel()
        inner.port1.onmessage = ({ data }) => { port1.close(); resolve([...got, data]) }
        port1.postMessage(new Map([[1, 2]]), [inner.port2])
      }
      postMessage({ to: 'main', name: 'lane' }, '*', [port2])
      port1.postMessage('hello')
    }).then((got) => JSON.stringify(got, (_, it) => (it instanceof Map ? [...it] : it)))`)
    expect(JSON.parse(String(seen))).toEqual([
      { back: 'hello', first: 'lane' },
      { through: [[1, 2]] },
    ])
    expect(await host.next('port-closed')).toBe('lane')
  })

  test('serves requests of pages from the handler, with their bodies', async () => {
    const post = `fetch('/echo', { method: 'POST', body: 'text' }).then((it) => it.json())`
    expect(await host.page(post)).toEqual({
      url: 'app://main/echo',
      method: 'POST',
      body: 'text',
    })
    expect(await host.page(`fetch('/none').then((it) => it.status)`)).toBe(404)
  })

  test('serves an address of another partition to nobody', async () => {
    const label = await host.page('location.hostname')
    expect(label).toBe('main.app.default-eccp.invalid')
    await expect(host.page(`fetch('https://vault.app.vault-eccp.invalid/vault.html')`))
      .rejects // prettier-ignore
      .toThrow()
  })

  test('enforces the policy of the response', async () => {
    const blocked = `new Promise((resolve) => {
      document.addEventListener('securitypolicyviolation', (it) => resolve(it.effectiveDirective))
      const script = document.createElement('script')
      script.textContent = 'window.injected = true'
      document.head.append(script)
    })`
    expect(await host.page(blocked)).toMatch(/^script-src/)
    expect(await host.page('typeof injected')).toBe('undefined')
  })

  test('grants no permission that the app denies', async () => {
    await until(
      async () =>
        (await host.page(
          `navigator.permissions.query({ name: 'geolocation' }).then((it) => it.state)`,
        )) === 'denied',
    )
  })

  test('denies popups and hands their address to the app', async () => {
    await host.page(`void window.open('https://popup.invalid/')`)
    await host.page(`document.getElementById('popup').click()`)
    const opened = `developmentHost.recorded.filter((it) => it.what === 'shell.openExternal').length`
    await until(async () => (await host.main(opened)) === 2)
    expect(await host.main('BrowserWindow.getAllWindows().length')).toBe(2)
    expect(await host.main('fixture.seen.denied')).not.toContain('https://popup.invalid/')
  })

  test('denies navigation and keeps the page', async () => {
    const seen = (count: number) => (): Promise<boolean> =>
      host
        .main('fixture.seen.navigations')
        .then((navigations) => (navigations as string[]).length === count)
    await host.page(`void (window.stays = true, document.getElementById('away').click())`)
    // One that begins while another is on its way replaces it before anybody is asked.
    await until(seen(1))
    await host.page(`void (location.href = 'https://elsewhere.invalid/')`)
    await until(seen(2))
    await wait(100)
    expect(await host.page('stays')).toBe(true)
    expect(await host.main('fixture.seen.navigations')).toEqual([
      'https://away.invalid/',
      'https://elsewhere.invalid/',
    ])
  })

  test('shows the theme that the app chose', async () => {
    const dark = `matchMedia('(prefers-color-scheme: dark)').matches`
    expect(await host.page(dark)).toBe(false)
    await host.main(`fixture.dark('dark')`)
    await until(async () => (await host.page(dark)) === true)
    await host.main(`fixture.dark('system')`)
    await until(async () => (await host.page(dark)) === false)
  })

  test('records notifications and dialogs, and answers as the test says', async () => {
    await host.main('fixture.notify()')
    expect(await host.main('developmentHost.notifications.map((it) => it.title)')).toEqual([
      'Hello',
    ])
    expect(await host.main('fixture.ask()')).toMatchObject({ response: 1 })
    await host.main('void developmentHost.dialogAnswers.push({ response: 0 })')
    expect(await host.main('fixture.ask()')).toMatchObject({ response: 0 })
  })

  test('says what it does not support', async () => {
    await expect(host.main('app.getJumpListSettings()')).rejects.toThrow(
      'app.getJumpListSettings is not supported by the development host',
    )
  })

  test('says on the window that it is not sandboxed', async () => {
    const sandboxed = process.getuid?.() !== 0
    const title = String(await host.page('document.title'))
    expect(title.includes('Development shell, not sandboxed')).toBe(!sandboxed)
    expect(await host.main('fixture.main().getTitle()')).toBe('Fixture page')
  })

  test('opens no port', async () => {
    expect(host.errors()).not.toContain('listening')
  })

  test('hands the command line of a second instance to the first', async () => {
    const second = runHost(folder.path, { args: ['eccp://join'] })
    expect(await second.exited).toBe(0)
    expect(await host.next('second-instance')).toEqual(['eccp://join', { hello: 'first' }])
  })
})

describe.skipIf(findChromium() === null)('the hidden vault', () => {
  test('keeps its records when the host is killed, and Chromium dies with it', async () => {
    const folder = await temporaryFolder()
    const first = runHost(folder.path)
    expect(await first.next('started')).toBe(0)
    await first.main(`fixture.askVault('put', 'key', new Uint8Array([7]))`)
    expect(chromiumOn(folder.path)).toHaveLength(1)
    first.process.kill('SIGKILL')
    await first.exited
    // At once: the next start must cope with a Chromium that is still closing.
    const second = runHost(folder.path)
    expect(await second.next('started')).toBe(1)
    expect(await second.main(`fixture.askVault('get', 'key')`)).toEqual({ 0: 7 })
    expect(chromiumOn(folder.path)).toHaveLength(1)
    expect(await second.quit()).toBe(0)
    expect(chromiumOn(folder.path)).toEqual([])
    await folder.remove()
  })

  test('is opened anew by the app after Chromium was killed', async () => {
    const folder = await temporaryFolder()
    const host = runHost(folder.path)
    await host.next('started')
    await host.main(`fixture.askVault('put', 'key', 'value')`)
    const [pid] = chromiumOn(folder.path)
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
    expect([await host.next('gone'), await host.next('gone')]).toEqual([
      ['main', 'killed'],
      ['vault', 'killed'],
    ])
    await host.next('vault-closed')
    await host.main('fixture.openVault()')
    expect(await host.main(`fixture.askVault('get', 'key')`)).toBe('value')
    await host.main('void fixture.main().reload()')
    await until(async () => (await host.page('api.echo(1)').catch(() => null)) !== null)
    expect(await host.quit()).toBe(0)
    await folder.remove()
  })

  test('is emptied by clearing the storage of its session at a later start', async () => {
    const folder = await temporaryFolder()
    const first = runHost(folder.path)
    await first.next('started')
    await first.main(`fixture.askVault('put', 'key', 'value')`)
    await first.page(`void localStorage.setItem('kept', 'yes')`)
    expect(await first.quit()).toBe(0)
    const second = runHost(folder.path)
    expect(await second.next('started')).toBe(1)
    await second.main(`session.fromPartition('persist:vault').clearStorageData()`)
    await second.main('fixture.openVault()')
    expect(await second.main(`fixture.askVault('count')`)).toBe(0)
    expect(await second.page(`localStorage.getItem('kept')`)).toBe('yes')
    expect(await second.quit()).toBe(0)
    await folder.remove()
  })

  test('survives a crash of the page beside it', async () => {
    const folder = await temporaryFolder()
    const host = runHost(folder.path)
    await host.next('started')
    await host.main('void fixture.main().webContents.forcefullyCrashRenderer()')
    expect(await host.next('gone')).toEqual(['main', 'crashed'])
    expect(await host.main(`fixture.askVault('put', 'key', 1)`)).toBe(true)
    await host.main('void fixture.main().reload()')
    await until(async () => (await host.page('api.echo(1)').catch(() => null)) !== null)
    expect(await host.quit()).toBe(0)
    await folder.remove()
  })
})

describe.skipIf(findChromium() === null)('closing', () => {
  test('ends with the last window, unless a listener keeps it', async () => {
    const folder = await temporaryFolder()
    const host = runHost(folder.path)
    await host.next('started')
    await host.main(`void fixture.main().once('close', (event) => event.preventDefault())`)
    await host.main('fixture.main().close()')
    expect(await host.page('api.echo(1)')).toEqual([1])
    await host.main('fixture.vault().close()')
    await host.main('void setImmediate(() => fixture.main().close())')
    expect(await host.exited).toBe(0)
    await folder.remove()
  })
})
