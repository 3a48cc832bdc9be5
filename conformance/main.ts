/** `eccp-conformance`: what it found on standard output, the reports in files; ends with 0, 1 or, misused, 2. */
import { writeFileSync } from 'node:fs'
import { allCases } from './cases/index.ts'
import { parts } from './case.ts'
import { parseOptions, usage } from './options.ts'
import type { Options } from './options.ts'
import { summaryOf, toMarkdown } from './report.ts'
import type { Result } from './run.ts'
import { choosing, openPeers, runSuite } from './suite.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)

function show({ outcome, section, name, reason, ms }: Result): void {
  const mark = { passed: 'ok', failed: 'FAILED', not_run: 'not run' }[outcome]
  const time = outcome === 'not_run' ? '' : ` (${ms} ms)`
  say(`${mark.padEnd(8)}${section.padEnd(8)}${name}${time}`)
  if (reason !== undefined) say(`                ${reason.replaceAll('\n', '\n                ')}`)
}

async function run(options: Options): Promise<number> {
  const listener = options.peers.length === 0 ? null : await openPeers(options)
  try {
    const report = await runSuite(
      { ...options, chosen: choosing(options.only), onResult: show },
      listener,
    )
    if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
    if (options.markdown !== null) writeFileSync(options.markdown, toMarkdown(report))
    say(`\n${summaryOf(report)}`)
    return report.failed === 0 && report.passed > 0 ? 0 : 1
  } finally {
    listener?.close()
  }
}

const parsed = parseOptions(process.argv.slice(2))
switch (parsed.kind) {
  case 'help':
    process.stdout.write(usage)
    break
  case 'list':
    for (const part of parts)
      for (const { section, name } of allCases[part])
        say(`${part.padEnd(12)}${section.padEnd(8)}${name}`)
    break
  case 'wrong':
    process.stderr.write(`eccp-conformance: ${parsed.message}\n\n${usage}`)
    process.exitCode = 2
    break
  case 'run':
    try {
      process.exitCode = await run(parsed.options)
    } catch (error) {
      const message = error instanceof Error ? error.message : 'failed'
      process.stderr.write(`eccp-conformance: ${message}\n`)
      process.exitCode = 1
    }
}
