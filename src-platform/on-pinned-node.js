// Runs a command's TypeScript on the Node that comes with the packages, whatever Node the machine has.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const modules = fileURLToPath(new URL('../node_modules', import.meta.url))
const name = process.platform === 'win32' ? 'node.exe' : 'node'
const candidates = [
  join(modules, '.bin', name),
  join(modules, `node-${process.platform}-${process.arch}`, 'bin', name),
  join(modules, `node-bin-${process.platform}-${process.arch}`, 'bin', name),
]

/**
 * @param {string} command as the user called it
 * @param {URL} main its module
 */
export async function onPinnedNode(command, main) {
  if (Number(process.versions.node.split('.')[0]) >= 24) {
    await import(main.href)
    return
  }
  const node = candidates.find((path) => existsSync(path))
  if (node === undefined) {
    process.stderr.write(`${command}: needs Node 24 or later\n`)
    process.exit(1)
  }
  const child = spawn(node, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)))
}
