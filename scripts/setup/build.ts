/** Builds the desktop app, unless the build at hand was made from these very sources. */
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder, mainEntry, root, toolPath } from './paths.ts'
import { runNode } from './run.ts'

const stampFile = join(cacheFolder, 'build.sha256')
const sources = [
  'src-shared/**/*.{ts,json}',
  'src-platform/**/*.ts',
  'src-main/**/*.{ts,html,css}',
  'src-renderer/**/*.{ts,tsx,html,css,svg}',
  'assets/**/*',
  'electron.vite.config.ts',
  'tsconfig.base.json',
  'package-lock.json',
]

function fingerprintOfSources(): string {
  const hash = createHash('sha256')
  const files = globSync(sources, { cwd: root, exclude: ['**/*.test.ts', '**/testing/**'] })
  for (const file of files.toSorted()) {
    const path = join(root, file)
    if (!/\.[a-z0-9]+$/i.test(file)) continue
    hash.update(file).update('\0').update(readFileSync(path)).update('\0')
  }
  return hash.digest('hex')
}

/** Answers false where the build failed; its output has been printed then. */
export async function buildDesktop(options: { force?: boolean } = {}): Promise<boolean> {
  const wanted = fingerprintOfSources()
  if (
    options.force !== true &&
    existsSync(mainEntry) &&
    existsSync(stampFile) &&
    readFileSync(stampFile, 'utf8') === wanted
  )
    return true
  process.stdout.write('Building the desktop app …\n')
  const result = await runNode(
    [toolPath('electron-vite/bin/electron-vite.js'), 'build', '--logLevel', 'warn'],
    { capture: true },
  )
  if (result.code !== 0) {
    process.stderr.write(result.output)
    return false
  }
  mkdirSync(cacheFolder, { recursive: true })
  writeFileSync(stampFile, wanted)
  return true
}
