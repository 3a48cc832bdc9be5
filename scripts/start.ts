/**
 * `npm start`: builds what changed and opens the desktop app; without a display it runs the demo
 * headless instead. The personal node is the app's to bring up (src-main/personal-node).
 *
 * usage: npm start [-- --profile NAME] [--retry-electron]
 */
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { buildDesktop } from './setup/build.ts'
import { mainEntry, root } from './setup/paths.ts'
import { chooseShell, describeShell, hasDisplay } from './setup/shell.ts'

const usage = 'usage: npm start [-- [--profile NAME] [--retry-electron]]'

function readArguments(): { profile?: string | undefined; 'retry-electron': boolean } {
  try {
    const { values } = parseArgs({
      options: {
        profile: { type: 'string' },
        'retry-electron': { type: 'boolean', default: false },
      },
    })
    if (values.profile !== undefined && !/^[a-z0-9][a-z0-9-]{0,31}$/.test(values.profile)) {
      throw new Error('a profile name has up to 32 lower-case letters, digits and hyphens')
    }
    return values
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : 'bad arguments'}\n${usage}`)
    process.exit(2)
  }
}

const values = readArguments()
if (!hasDisplay()) {
  console.log(
    'There is no display here, so the demo runs headless instead of the app: two accounts, one conversation.',
  )
  const { runDemo } = await import('./setup/demo.ts')
  process.exit(await runDemo())
}

const shell = await chooseShell({ tryFetch: true, retryElectron: values['retry-electron'] })
if (shell === null) process.exit(1)
if (!(await buildDesktop())) process.exit(1)
console.log(`Opening PrivChat in ${describeShell(shell)} …`)
const args = [mainEntry, ...(values.profile === undefined ? [] : ['--profile', values.profile])]
// Electron refuses to run its sandbox as root; an ordinary user keeps it.
if (shell.kind === 'electron' && process.platform === 'linux' && process.getuid?.() === 0)
  args.unshift('--no-sandbox')
const app = spawn(shell.executable, args, {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, ELECTRON_EXEC_PATH: shell.executable },
})
let ending = false
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    ending = true
    app.kill(signal)
  })
app.on('error', (error) => {
  console.error(`The app could not be started: ${error.message}`)
  process.exit(1)
})
app.on('exit', (code, signal) => {
  if (signal !== null && !ending)
    console.error(
      `PrivChat was ended from outside (${signal}). Nothing that it had confirmed is lost; start it again.`,
    )
  process.exit(code ?? 1)
})
