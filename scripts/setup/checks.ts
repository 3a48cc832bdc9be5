/** The static checks: types, lint, layer rules, unused code, formatting. Each says how much it looked at. */
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { root, toolPath } from './paths.ts'
import { runNode } from './run.ts'

export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  /** One line about what was looked at. */
  readonly saw: string
  /** What the tool printed, where it failed. */
  readonly output: string
}

// A layer that has no file yet has no folder in a clone.
const layers = [
  'src-shared',
  'src-main',
  'src-renderer',
  'src-platform',
  'src-homeserver',
  'src-ecosystem',
  'conformance',
  'host',
  'e2e',
  'bench',
  'mutation',
  'fixtures',
  'spec',
  'scripts',
].filter((layer) => existsSync(join(root, layer)))
const projects = [
  'src-shared/tsconfig.json',
  'src-main/tsconfig.json',
  'src-renderer/tsconfig.json',
  'tsconfig.node.json',
  'e2e/tsconfig.json',
]

/** Every module of the program, as the file system has them: what a check must have seen at least. */
export function modulesOnDisk(): string[] {
  return layers
    .flatMap((layer) =>
      globSync(`${layer}/**/*.{ts,tsx}`, { cwd: root, exclude: ['**/node_modules/**'] }),
    )
    .filter((file) => !file.endsWith('.d.ts'))
}

async function types(): Promise<CheckResult> {
  const results = []
  for (const project of projects) {
    results.push(
      await runNode(
        [toolPath('typescript-7/bin/tsc'), '-p', project, '--listFiles', '--pretty', 'false'],
        { capture: true },
      ),
    )
  }
  const lines = results.flatMap((result) => result.output.split('\n'))
  // What is listed stands alone on its line; what is wrong names its file first.
  const isError = (line: string): boolean => /error TS\d+:|^\s/.test(line)
  const listed = lines.filter((line) => line !== '' && !isError(line))
  const missed = modulesOnDisk().filter((file) => !listed.some((line) => line.endsWith(`/${file}`)))
  const failed = results.filter((result) => result.code !== 0)
  return {
    name: 'types',
    ok: failed.length === 0 && missed.length === 0,
    saw: `${String(projects.length)} projects, ${String(modulesOnDisk().length)} modules`,
    output: [
      ...failed.flatMap((result) => result.output.split('\n').filter(isError)),
      ...missed.map((file) => `not in any project: ${file}`),
    ].join('\n'),
  }
}

async function lint(): Promise<CheckResult> {
  const result = await runNode(
    [
      toolPath('eslint/bin/eslint.js'),
      '--cache',
      '--cache-location',
      '.cache/eslint/',
      '--max-warnings',
      '0',
      '.',
    ],
    { capture: true },
  )
  return { name: 'lint', ok: result.code === 0, saw: 'all TypeScript', output: result.output }
}

interface TypedLintReport {
  readonly diagnostics: readonly {
    readonly code: string
    readonly message: string
    readonly filename: string
    readonly labels: readonly { readonly span: { readonly line: number } }[]
  }[]
  readonly number_of_files: number
}

/** Runs the rules that need types over a tree; `cwd` may be a planted one. */
export async function lintWithTypes(cwd: string): Promise<TypedLintReport> {
  const result = await runNode(
    [
      toolPath('oxlint/bin/oxlint'),
      '--type-aware',
      '--config',
      join(root, '.oxlintrc.json'),
      '--format',
      'json',
      '.',
    ],
    {
      capture: true,
      cwd,
      env: { OXLINT_TSGOLINT_PATH: toolPath('oxlint-tsgolint/bin/tsgolint.js') },
    },
  )
  try {
    return JSON.parse(result.output) as TypedLintReport
  } catch {
    throw new Error(`The linter did not report: ${result.output.slice(0, 2000)}`)
  }
}

/** Promises nobody waits for, and unions not gone through to the end. */
async function typedLint(): Promise<CheckResult> {
  const report = await lintWithTypes(root)
  const expected = modulesOnDisk().length
  return {
    name: 'lint with types',
    ok: report.diagnostics.length === 0 && report.number_of_files >= expected,
    saw: `${String(report.number_of_files)} files`,
    output: [
      ...report.diagnostics.map(
        ({ filename, labels, code, message }) =>
          `${filename}:${String(labels[0]?.span.line ?? 0)} ${code}: ${message}`,
      ),
      ...(report.number_of_files < expected
        ? [`fewer than the ${String(expected)} there are`]
        : []),
    ].join('\n'),
  }
}

interface CruiseReport {
  readonly modules: readonly { readonly source: string }[]
  readonly summary: {
    readonly totalCruised: number
    readonly violations: readonly {
      readonly from: string
      readonly to: string
      readonly rule: { readonly name: string }
    }[]
  }
}

/** Runs the layer rules over a tree; `cwd` may be a planted one. */
export async function cruise(cwd: string, folders: readonly string[]): Promise<CruiseReport> {
  const result = await runNode(
    [
      toolPath('dependency-cruiser/bin/dependency-cruiser.mjs'),
      '--config',
      '.dependency-cruiser.cjs',
      '--preserve-symlinks',
      '--output-type',
      'json',
      ...folders,
    ],
    { capture: true, cwd },
  )
  const start = result.output.indexOf('{')
  return JSON.parse(result.output.slice(Math.max(start, 0))) as CruiseReport
}

async function layerRules(): Promise<CheckResult> {
  const report = await cruise(root, layers)
  const seen = new Set(report.modules.map((module) => module.source))
  // A rule that looks at nothing passes everything.
  const missed = modulesOnDisk().filter((file) => !seen.has(file))
  const violations = report.summary.violations.map(
    (violation) => `${violation.rule.name}: ${violation.from} → ${violation.to}`,
  )
  return {
    name: 'layers',
    ok: violations.length === 0 && missed.length === 0 && seen.size > 0,
    saw: `${String(seen.size)} modules`,
    output: [...violations, ...missed.map((file) => `not seen: ${file}`)].join('\n'),
  }
}

async function unused(): Promise<CheckResult> {
  const result = await runNode([toolPath('knip/bin/knip.js'), '--no-progress'], { capture: true })
  return {
    name: 'unused code',
    ok: result.code === 0,
    saw: 'files, exports, dependencies',
    output: result.output,
  }
}

async function format(): Promise<CheckResult> {
  const result = await runNode(
    [
      toolPath('prettier/bin/prettier.cjs'),
      '--check',
      '--cache',
      '--cache-location',
      '.cache/prettier',
      '--log-level',
      'warn',
      '.',
    ],
    { capture: true },
  )
  return { name: 'format', ok: result.code === 0, saw: 'all files', output: result.output }
}

export const checks: Readonly<Record<string, () => Promise<CheckResult>>> = {
  types,
  lint,
  'lint-types': typedLint,
  layers: layerRules,
  unused,
  format,
}
