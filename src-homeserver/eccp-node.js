#!/usr/bin/env node
// Runs the node on the Node that comes with the packages, whatever Node the machine has.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const name = process.platform === 'win32' ? 'node.exe' : 'node'
const candidates = [
  join(here, '..', 'node_modules', '.bin', name),
  join(here, '..', 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', name),
  join(here, '..', 'node_modules', `node-bin-${process.platform}-${process.arch}`, 'bin', name),
]
const runsTypeScript = Number(process.versions.node.split('.')[0]) >= 24
if (runsTypeScript) await import('./main.ts')
else runOn(candidates.find((path) => existsSync(path)))

/** @param {string | undefined} node */
function runOn(node) {
  if (node === undefined) {
    process.stderr.write('eccp-node: needs Node 24 or later\n')
    process.exit(1)
  }
  const child = spawn(node, [join(here, 'main.ts'), ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)))
}
