/**
 * `npm run demo`: two real windows, two new accounts on one node, a conversation. Progress goes to the
 * terminal; screenshots and a transcript go to a folder whose name is printed. Nothing of it touches the
 * user's own profiles: the demo lives in a temporary folder.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launchApp, type RunningApp } from '../../e2e/driver/app.ts'
import { startNodeProcess } from '../../e2e/driver/node-process.ts'
import { endPersonalNode } from '../../e2e/driver/personal-node.ts'
import {
  accept,
  choosePassphrase,
  createAccount,
  say,
  sees,
  startDirect,
} from '../../e2e/driver/person.ts'
import { buildDesktop } from './build.ts'
import { artefactsFolder } from './paths.ts'
import { chooseShell, describeShell, hasDisplay } from './shell.ts'

const people = {
  ada: { name: 'ada', displayName: 'Ada', password: 'a lantern in the reeds' },
  bo: { name: 'bo', displayName: 'Bo 鷺', password: 'two herons at the lake' },
} as const
type Speaker = keyof typeof people

const conversation: readonly { readonly from: Speaker; readonly text: string }[] = [
  { from: 'ada', text: 'Morning! Are we still on for Sunday?' },
  { from: 'bo', text: 'Yes! I’ll bring the map and the good coffee ☕️' },
  { from: 'bo', text: '林梅 comes too: 太好了，周日见！' },
  {
    from: 'ada',
    text: 'Lovely. The path along the lake is open again, so we can walk all the way round.',
  },
  { from: 'bo', text: 'وعمر سيحضر القارب الصغير 🛶' },
  { from: 'ada', text: 'A boat! Then I’ll make the bread that needs two days.' },
  { from: 'bo', text: 'Nobody else can read this, right? I still owe Omar a surprise.' },
  { from: 'ada', text: 'Only you and me. The server passes on what it can’t open.' },
  { from: 'bo', text: '🎉' },
]

/** Waits until every one is ready, so that the first failure does not leave the others running. */
async function both<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(work)
  const failed = results.find((result) => result.status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
}

/** The exit code: 0 where both have read every message. */
export async function runDemo(): Promise<number> {
  const shell = await chooseShell({ tryFetch: true })
  if (shell === null || !(await buildDesktop())) return 1
  process.env['ECCP_E2E_EXECUTABLE'] = shell.executable
  const folder = join(artefactsFolder, 'demo')
  mkdirSync(folder, { recursive: true })
  const home = mkdtempSync(join(tmpdir(), 'privchat-demo-'))
  const transcript: string[] = []
  const began = performance.now()
  const tell = (line: string): void => {
    const text = `${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}`
    transcript.push(text)
    console.log(text)
  }
  const apps: RunningApp[] = []
  tell(`Two windows in ${describeShell(shell)}${hasDisplay() ? '' : ', headless'}`)
  const node = await startNodeProcess({ dataDir: join(home, 'node'), serverName: 'demo.example' })
  tell(`A node for demo.example listens on ${node.url}`)
  try {
    const windows = await both(
      (Object.keys(people) as Speaker[]).map(async (who, index) => {
        const app = await launchApp({ home, profile: who })
        apps.push(app)
        await app.electron.evaluate(({ BrowserWindow }, left) => {
          // Side by side; the hidden windows stay where they are.
          for (const window of BrowserWindow.getAllWindows())
            if (window.isVisible()) window.setBounds({ x: left, y: 0, width: 960, height: 900 })
        }, index * 960)
        await choosePassphrase(app.page)
        await createAccount(app.page, { ...people[who], server: node.url })
        tell(`${people[who].displayName} has an account: @${people[who].name}:demo.example`)
        return { who, page: app.page }
      }),
    )
    const pageOf = (who: Speaker) => {
      const found = windows.find((window) => window.who === who)
      if (found === undefined) throw new Error('a window is missing')
      return found.page
    }
    await startDirect(pageOf('ada'), 'bo')
    tell('Ada invites Bo to a conversation')
    await accept(pageOf('bo'), 'Ada')
    tell('Bo accepts')
    for (const { from, text } of conversation) {
      await say(pageOf(from), text)
      await both(windows.map(({ page }) => sees(page, text)))
      tell(`${people[from].displayName}: ${text}`)
    }
    await pageOf('bo')
      .getByRole('img', { name: /^Delivered to Ada/ })
      .last()
      .waitFor({ timeout: 10_000 })
    tell('Bo sees that it was delivered to Ada')
    for (const theme of ['light', 'dark'] as const) {
      for (const { who, page } of windows) {
        await page.emulateMedia({ colorScheme: theme })
        await page.screenshot({ path: join(folder, `${who}-${theme}.png`) })
      }
    }
    tell('Both have read everything')
    return 0
  } catch (error) {
    tell(`The demo failed: ${error instanceof Error ? error.message : 'unknown error'}`)
    for (const [index, app] of apps.entries())
      await app.page
        .screenshot({ path: join(folder, `failed-${String(index)}.png`) })
        .catch(() => undefined)
    return 1
  } finally {
    writeFileSync(join(folder, 'transcript.txt'), `${transcript.join('\n')}\n`)
    await Promise.allSettled(apps.map((app) => app.close()))
    await node.kill()
    endPersonalNode(home)
    rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    console.log(`Screenshots and transcript: ${folder}`)
  }
}
