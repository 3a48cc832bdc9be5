/** The rules that need types are seen to reject what they are there for. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { lintWithTypes } from './setup/checks.ts'
import { root } from './setup/paths.ts'

const planted = `
async function work(): Promise<void> {}
export function floating(): void {
  work()
}
export function misused(): number {
  return work() ? 1 : 2
}
export async function thenable(): Promise<number> {
  const x: number = 3
  return await x
}
export function exhaustive(a: 'a' | 'b' | undefined): number {
  switch (a) {
    case 'a':
      return 1
    case undefined:
      return 3
  }
  return 2
}
`

describe('lint with types', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lint-'))
  afterAll(() => {
    rmSync(folder, { recursive: true })
  })

  it('rejects a planted violation of each rule', async () => {
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(root, 'tsconfig.base.json'), include: ['*.ts'] }),
    )
    writeFileSync(join(folder, 'planted.ts'), planted)
    const { diagnostics } = await lintWithTypes(folder)
    expect(diagnostics.map(({ code }) => code).toSorted()).toEqual([
      'typescript(await-thenable)',
      'typescript(no-floating-promises)',
      'typescript(no-misused-promises)',
      'typescript(switch-exhaustiveness-check)',
    ])
  })
})
