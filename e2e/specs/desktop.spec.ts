/** The app among its surroundings: what a page may not do, a second start, a second person, the own server. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { executablePath, mainEntry } from '../driver/app.ts'
import { askedOf, watchDesktop } from '../driver/desktop.ts'
import {
  accept,
  createAccount,
  openRoom,
  roomRow,
  say,
  sees,
  startDirect,
} from '../driver/person.ts'
import { Stage, type Person } from '../driver/stage.ts'
import { expect, test } from '../driver/test.ts'

// One story: each step begins where the one before ended.
test.describe.configure({ mode: 'serial' })

let stage: Stage
let ada: Person
let second: Person

test.beforeAll(async () => {
  stage = Stage.empty()
  ada = await stage.desktop('ada', 'Ada', 'default')
})
test.afterAll(() => stage.end())

const runningNode = (): { pid: number; url: string } =>
  JSON.parse(readFileSync(join(stage.home, 'node', 'running.json'), 'utf8')) as {
    pid: number
    url: string
  }
const onOwnServer = (person: Person) =>
  createAccount(person.page, {
    name: person.name,
    displayName: person.displayName,
    password: person.password,
    server: null,
  })

test('an account on this computer needs no server to be named', async () => {
  await onOwnServer(ada)
  await expect(ada.page.getByRole('button', { name: /^Your account: Ada/ })).toContainText(
    'Connected',
  )
})

test('“Try it with a second person” starts the app once more, for somebody else', async () => {
  await ada.app.electron.evaluate(() => {
    const childProcess = process.getBuiltinModule('node:child_process')
    const { EventEmitter } = process.getBuiltinModule('node:events')
    const real = childProcess.spawn
    const kept = globalThis as typeof globalThis & { startedWith?: readonly string[] }
    const caught = (command: string, args: readonly string[]) => {
      kept.startedWith = [command, ...args]
      childProcess.spawn = real
      process.getBuiltinModule('node:module').syncBuiltinESMExports()
      const child = Object.assign(new EventEmitter(), { unref() {} })
      setImmediate(() => child.emit('spawn'))
      return child
    }
    childProcess.spawn = caught as unknown as typeof real
    process.getBuiltinModule('node:module').syncBuiltinESMExports()
  })
  await ada.page.getByRole('button', { name: 'Try it with a second person' }).click()
  const started = () =>
    ada.app.electron.evaluate(
      () => (globalThis as typeof globalThis & { startedWith?: readonly string[] }).startedWith,
    )
  await expect.poll(started).toContain('second')
  const args = (await started()) ?? []
  expect(args.slice(-2)).toEqual(['--profile', 'second'])
  expect(args.some((argument) => argument.endsWith(join('main', 'index.js')))).toBe(true)

  second = await stage.desktop('bo', 'Bo', 'second')
  await onOwnServer(second)
  await startDirect(ada.page, 'bo')
  await accept(second.page, 'Ada')
  await say(second.page, 'Both on one computer')
  await openRoom(ada.page, 'Bo')
  await sees(ada.page, 'Both on one computer')
})

test('a start of what runs already ends by itself and brings the window to the front', async () => {
  await ada.app.electron.evaluate(({ BrowserWindow }) => {
    const kept = globalThis as typeof globalThis & { focused?: number }
    kept.focused = 0
    const { focus } = BrowserWindow.prototype
    BrowserWindow.prototype.focus = function () {
      kept.focused = (kept.focused ?? 0) + 1
      focus.call(this)
    }
  })
  const asRoot = process.platform === 'linux' && process.getuid?.() === 0
  const again = spawn(
    executablePath(),
    [...(asRoot ? ['--no-sandbox'] : []), mainEntry, '--profile', 'default'],
    { env: { ...process.env, ECCP_HOME: stage.home }, stdio: 'ignore' },
  )
  await new Promise((resolve) => again.once('exit', resolve))
  const focused = () =>
    ada.app.electron.evaluate(
      () => (globalThis as typeof globalThis & { focused?: number }).focused,
    )
  await expect.poll(focused).toBeGreaterThan(0)
  await sees(ada.page, 'Both on one computer')
})

test('a message that comes while nobody looks is announced', async () => {
  await watchDesktop(ada.app)
  await ada.app.electron.evaluate(({ BrowserWindow }) => {
    for (const window of BrowserWindow.getAllWindows()) window.blur()
  })
  await say(second.page, 'Look over here')
  await expect
    .poll(async () => (await askedOf(ada.app)).notified)
    .toEqual([{ title: 'Bo', body: 'Look over here' }])
})

test('a page runs no script but the app’s own, and reaches no network', async () => {
  const found = await ada.page.evaluate(async (url) => {
    // What a debugger evaluates may evaluate text; what a timer runs is the page's own.
    await new Promise((resolve) => setTimeout(resolve, 0))
    const page = window as typeof window & { intruder?: string }
    const attempts: Record<string, string> = {}
    const attempt = async (name: string, work: () => unknown): Promise<void> => {
      try {
        attempts[name] = String((await work()) ?? 'nothing')
      } catch (error) {
        attempts[name] = error instanceof Error ? error.name : 'failed'
      }
    }
    await attempt('inline script', () => {
      const script = document.createElement('script')
      script.append('window.intruder = "inline"')
      document.head.append(script)
      return page.intruder
    })
    await attempt('script as text', () => {
      document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="intruder = 1">')
    })
    await attempt('evaluated text', () => new Function('return "evaluated"')() as string)
    await attempt('own server', () => fetch(url).then(() => 'reached'))
    await attempt('another server', () => fetch('https://example.org').then(() => 'reached'))
    await attempt(
      'socket',
      () =>
        new Promise<string>((resolve) => {
          const socket = new WebSocket(url.replace('http', 'ws'))
          socket.onopen = () => resolve('reached')
          socket.onerror = () => resolve('refused')
        }),
    )
    await attempt(
      'frame',
      () =>
        new Promise<string>((resolve) => {
          const frame = document.createElement('iframe')
          frame.src = url
          frame.onload = () => {
            let inside = 'refused'
            try {
              inside = frame.contentDocument?.body.innerText ? 'reached' : 'refused'
            } catch {
              // Chromium shows a page of its own where it refused one.
            }
            frame.remove()
            resolve(inside)
          }
          document.body.append(frame)
        }),
    )
    attempts['intruder'] = page.intruder ?? 'nothing'
    return attempts
  }, `${runningNode().url}/_eccp/client/v1/health`)
  expect(found).toEqual({
    'inline script': 'nothing',
    'script as text': 'TypeError',
    'evaluated text': 'EvalError',
    'own server': 'TypeError',
    'another server': 'TypeError',
    socket: 'refused',
    frame: 'refused',
    intruder: 'nothing',
  })
})

test('a page opens no window, goes nowhere else, and has nothing of Node', async () => {
  const { page } = ada
  const before = page.url()
  const windows = ada.app.electron.windows().length
  await page.evaluate(() => {
    window.open('https://example.org')
    window.location.href = 'https://example.org/'
  })
  await page.evaluate(() => {
    const link = document.createElement('a')
    link.href = 'https://example.org/'
    link.target = '_blank'
    document.body.append(link)
    link.click()
    link.remove()
  })
  await sees(page, 'Look over here')
  expect(page.url()).toBe(before)
  await expect.poll(() => ada.app.electron.windows().length).toBe(windows)
  expect((await askedOf(ada.app)).opened).toEqual([])
  expect(
    await page.evaluate(() =>
      ['require', 'process', 'module', 'Buffer'].filter((name) => name in window),
    ),
  ).toEqual([])
})

test('calls that do not fit the contract are refused, and nothing breaks', async () => {
  const { page } = ada
  const answers = await page.evaluate(async () => {
    const { privchat } = window as unknown as {
      privchat: { call(name: unknown, input: unknown): Promise<{ error?: { code: string } }> }
    }
    const malformed: [unknown, unknown][] = [
      ['message.send', {}],
      ['message.send', null],
      ['message.send', { account: 1, room: [], text: {}, replyTo: 0, clientKey: '' }],
      ['timeline.page', { account: 'a', room: 'b', before: null, limit: 1e9 }],
      ['app.copyText', { text: 'x'.repeat(30_000) }],
      ['app.openExternal', { url: 'file:///etc/passwd' }],
      ['app.openExternal', { url: 'javascript:alert(1)' }],
      ['rooms.list', { account: 'somebody else' }],
      ['constructor', {}],
      ['__proto__', {}],
      [null, undefined],
    ]
    const codes: string[] = []
    for (const [name, input] of malformed) {
      const answer = await privchat.call(name, input)
      codes.push(answer.error?.code ?? 'accepted')
    }
    return codes
  })
  expect(answers).toEqual(answers.map(() => 'bad_input'))
  expect(answers).toHaveLength(11)
  expect((await askedOf(ada.app)).opened).toEqual([])
  await say(page, 'Still here')
  await sees(second.page, 'Still here')
})

test('the own server comes back: while the app runs, and with the next start', async () => {
  const first = runningNode()
  process.kill(first.pid, 'SIGKILL')
  await say(ada.page, 'To a server that is gone')
  await sees(second.page, 'To a server that is gone', 45_000)
  const revived = runningNode()
  expect(revived.pid).not.toBe(first.pid)
  expect(revived.url).toBe(first.url)

  await second.quit()
  await ada.quit()
  process.kill(revived.pid, 'SIGKILL')
  await stage.reopen(ada)
  await expect(ada.page.getByRole('button', { name: /^Your account: Ada/ })).toContainText(
    'Connected',
  )
  expect(runningNode().pid).not.toBe(revived.pid)
  await expect(roomRow(ada.page, 'Bo')).toBeVisible()
})
