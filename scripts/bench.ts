/**
 * `npm run bench`: measures the protocol against its peers and prints what the README says of it; with
 * `--readme` it is written there. The peers have a package of their own in bench/; neither start nor test
 * ever installs them.
 *
 * usage: npm run bench [-- --rounds N] [--only WORK | --readme]
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { format, resolveConfig } from 'prettier'
import { runBench } from '../bench/run.ts'
import { root } from './setup/paths.ts'
import { run } from './setup/run.ts'

const folder = join(root, 'bench')

async function peersAreThere(): Promise<boolean> {
  const stamp = join(folder, 'node_modules', '.installed')
  const wanted = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return true
  console.log('Installing the peers (some 160 MB, only for this benchmark) …')
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.env['npm_execpath']
  const result =
    npm?.endsWith('.js') === true
      ? await run(process.execPath, [npm, ...args], { cwd: folder })
      : await run('npm', args, { cwd: folder })
  if (result.code === 0) writeFileSync(stamp, wanted)
  return result.code === 0
}

const readme = join(root, 'README.md')
const START = '<!-- npm run bench -->\n\n'
const END = '\n<!-- /npm run bench -->'

function writeReadme(markdown: string): void {
  const text = readFileSync(readme, 'utf8')
  const start = text.indexOf(START)
  const end = text.indexOf(END, start)
  if (start < 0 || end < 0) throw new Error('the README has no place for it')
  writeFileSync(readme, text.slice(0, start + START.length) + markdown + text.slice(end))
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    only: { type: 'string' },
    readme: { type: 'boolean', default: false },
  },
})
const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
const right = rounds === undefined || (Number.isInteger(rounds) && rounds > 0)
if (!right || (values.readme && values.only !== undefined)) {
  console.error('usage: npm run bench [-- --rounds N] [--only WORK | --readme]')
  process.exit(2)
}
if (!(await peersAreThere())) {
  console.error('The peers could not be installed: is the npm registry reachable?')
  process.exit(1)
}
const printed = await runBench({
  ...(rounds !== undefined && { rounds }),
  ...(values.only !== undefined && { only: values.only }),
  progress: (line) => {
    console.error(line)
  },
})
const markdown = await format(printed, { ...(await resolveConfig(readme)), parser: 'markdown' })
if (values.readme) writeReadme(markdown)
else console.log(markdown)
