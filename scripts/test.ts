/**
 * `npm test`: checks, unit tests, build, end-to-end suite; prints the time of each part and closes with
 * one line, `N passed, N failed` (`, N skipped`). `npm run test:long` adds the long runs (`--long`).
 *
 * Nothing is skipped silently: a test that a suite skips is counted and named, and without a shell to
 * run the app in, the run fails.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildDesktop } from './setup/build.ts'
import { checks } from './setup/checks.ts'
import { artefactsFolder, root, toolPath } from './setup/paths.ts'
import { preparePostgres } from './setup/postgresql.ts'
import { runNode } from './setup/run.ts'
import { chooseShell, describeShell, hasDisplay } from './setup/shell.ts'

const long = process.argv.includes('--long')

interface Part {
  readonly name: string
  readonly seconds: number
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly string[]
  /** Which ones failed, where the suite has names for them: said once more at the end. */
  readonly broken?: readonly string[]
}
const parts: Part[] = []

async function part(
  name: string,
  work: () => Promise<Omit<Part, 'name' | 'seconds'>>,
): Promise<void> {
  console.log(`\n── ${name}`)
  const started = performance.now()
  const result = await work()
  parts.push({ name, seconds: (performance.now() - started) / 1000, ...result })
}

interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numFailedTestSuites: number
  readonly success: boolean
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

async function vitest(
  name: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<void> {
  await part(name, async () => {
    const report = join(artefactsFolder, `${name.replaceAll(' ', '-')}.json`)
    rmSync(report, { force: true })
    const result = await runNode(
      [
        toolPath('vitest/vitest.mjs'),
        'run',
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${report}`,
        ...args,
      ],
      { env },
    )
    if (!existsSync(report)) return { passed: 0, failed: 1, skipped: [] }
    const parsed = JSON.parse(readFileSync(report, 'utf8')) as VitestReport
    const tests = parsed.testResults.flatMap((file) => file.assertionResults)
    const named = (...statuses: string[]): string[] =>
      tests.filter((test) => statuses.includes(test.status)).map((test) => test.fullName)
    const skipped = named('pending', 'skipped', 'todo')
    // A file that fails to load has no failed test of its own; the run's exit code still counts it.
    const failed =
      parsed.numFailedTests === 0 && (result.code !== 0 || !parsed.success)
        ? Math.max(1, parsed.numFailedTestSuites)
        : parsed.numFailedTests
    return { passed: parsed.numPassedTests, failed, skipped, broken: named('failed') }
  })
}

interface PlaywrightSuite {
  readonly title: string
  readonly suites?: readonly PlaywrightSuite[]
  readonly specs?: readonly {
    readonly title: string
    readonly tests: readonly { readonly status: string }[]
  }[]
}

function specsOf(suite: PlaywrightSuite): { title: string; status: string }[] {
  return [
    ...(suite.specs ?? []).flatMap((spec) =>
      spec.tests.map((test) => ({ title: `${suite.title} › ${spec.title}`, status: test.status })),
    ),
    ...(suite.suites ?? []).flatMap(specsOf),
  ]
}

async function playwright(
  name: string,
  env: Record<string, string>,
  args: readonly string[] = [],
): Promise<void> {
  await part(name, async () => {
    const report = join(artefactsFolder, `${name.replaceAll(/[^a-z0-9]+/gi, '-')}.json`)
    rmSync(report, { force: true })
    const result = await runNode(
      [
        toolPath('@playwright/test/cli.js'),
        'test',
        '--config',
        'e2e/playwright.config.ts',
        ...args,
      ],
      {
        env: { ...env, PLAYWRIGHT_JSON_OUTPUT_NAME: report },
      },
    )
    if (!existsSync(report)) return { passed: 0, failed: 1, skipped: [] }
    const specs = (
      JSON.parse(readFileSync(report, 'utf8')) as { suites: PlaywrightSuite[] }
    ).suites.flatMap(specsOf)
    const named = (...statuses: string[]): string[] =>
      specs.filter((spec) => statuses.includes(spec.status)).map((spec) => spec.title)
    const broken = named('unexpected', 'flaky')
    return {
      passed: named('expected').length,
      failed: broken.length === 0 && (result.code !== 0 || specs.length === 0) ? 1 : broken.length,
      skipped: named('skipped'),
      broken,
    }
  })
}

mkdirSync(artefactsFolder, { recursive: true })
const began = performance.now()

const noPostgres = preparePostgres()

// Each is one process of its own, so that two cores have something to do.
await Promise.all(
  Object.entries(checks).map(async ([name, check]) => {
    const started = performance.now()
    const result = await check()
    const [passed, failed] = result.ok ? [1, 0] : [0, 1]
    console.log(`${result.ok ? 'ok' : 'FAILED'}: ${name}, ${result.saw}`)
    if (!result.ok) console.log(result.output)
    const seconds = (performance.now() - started) / 1000
    parts.push({ name: `check: ${name}`, seconds, passed, failed, skipped: [] })
  }),
)

const why = await noPostgres
if (why !== null) console.log(`\nNothing is tested on PostgreSQL: ${why}.`)
await vitest('unit tests', [], {
  ...(why === null ? {} : { ECCP_NO_POSTGRESQL: why }),
  ...(long ? { ECCP_LONG: '1' } : {}),
})

const shell = await chooseShell()
if (shell === null) {
  parts.push({ name: 'end-to-end', seconds: 0, passed: 0, failed: 1, skipped: [] })
} else {
  await part('build', async () =>
    (await buildDesktop())
      ? { passed: 1, failed: 0, skipped: [] }
      : { passed: 0, failed: 1, skipped: [] },
  )
  console.log(
    `\nThe end-to-end suite runs on: ${describeShell(shell)}${hasDisplay() ? '' : ', headless'}`,
  )
  if (shell.kind === 'host') {
    console.log(
      'Unproved on this shell: native menu, tray, notifications, safeStorage, updater, fuses, the sandbox of the operating system.',
    )
  }
  const env: Record<string, string> = {
    ECCP_E2E_EXECUTABLE: shell.executable,
    ...(long ? { ECCP_LONG: '1' } : {}),
  }
  await playwright(`end-to-end on ${shell.kind}`, env)
}

console.log('\n── time')
for (const { name, seconds, passed, failed, skipped, broken = [] } of parts) {
  console.log(
    `${seconds.toFixed(1).padStart(7)} s  ${name}: ${String(passed)} passed, ${String(failed)} failed${skipped.length > 0 ? `, ${String(skipped.length)} skipped` : ''}`,
  )
  for (const title of skipped) console.log(`           skipped: ${title}`)
  for (const title of broken) console.log(`           failed: ${title}`)
}
console.log(
  `${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  in all (${root.split('/').at(-1) ?? ''}, shell: ${shell?.kind ?? 'none'})`,
)

const sum = (of: (part: Part) => number): number => parts.reduce((total, one) => total + of(one), 0)
const failed = sum((one) => one.failed)
const skipped = sum((one) => one.skipped.length)
console.log(
  `\n${String(sum((one) => one.passed))} passed, ${String(failed)} failed${skipped > 0 ? `, ${String(skipped)} skipped` : ''}`,
)
process.exit(failed === 0 ? 0 : 1)
