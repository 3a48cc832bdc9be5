/** Runs programs for the scripts: with the terminal shared, or with the output captured. */
import { spawn } from 'node:child_process'
import { root } from './paths.ts'

export interface RunResult {
  readonly code: number
  /** Standard output and error together, in the order they came. */
  readonly output: string
}

export interface RunOptions {
  readonly capture?: boolean
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? root,
      env: { ...process.env, ...options.env },
      stdio: options.capture === true ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    })
    let output = ''
    const keep = (chunk: Buffer): void => {
      output += chunk.toString('utf8')
    }
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
    child.on('error', (error) => {
      resolve({ code: 127, output: `${output}${error.message}\n` })
    })
    child.on('close', (code) => {
      resolve({ code: code ?? 1, output })
    })
  })
}

/** Runs a JavaScript or TypeScript file with this very Node. */
export function runNode(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return run(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], options)
}
