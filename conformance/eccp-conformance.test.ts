/** The command as an implementer calls it: against a node that it knows by its address alone. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startNode } from '../src-homeserver/testing/start-node.ts'
import type { TestNode } from '../src-homeserver/testing/start-node.ts'
import type { Report } from './report.ts'

let node: TestNode
let folder: string
beforeAll(async () => {
  node = await startNode({ registration: 'token' })
  folder = mkdtempSync(join(tmpdir(), 'eccp-conformance-'))
})
afterAll(async () => {
  await node.stop()
  rmSync(folder, { recursive: true })
})

function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const script = join(import.meta.dirname, 'eccp-conformance.js')
    const child = spawn(process.execPath, [script, ...args])
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => (output += data.toString()))
    child.once('error', reject)
    child.once('exit', (code) => resolve({ code, output }))
  })
}

describe('eccp-conformance', () => {
  it('reports for machines and for people, and ends with 1 where a case fails', async () => {
    const [json, markdown] = [join(folder, 'report.json'), join(folder, 'report.md')]
    const files = ['--json', json, '--markdown', markdown]
    // The node takes no accounts without a code: what needs one fails, and says why.
    const { code, output } = await run('--node', node.url, '--only', '10.3', ...files)
    expect(output).toMatch(/^FAILED +10\.3 .*\n +register: 403 M_REGISTRATION_CLOSED/m)
    expect([code, output.trimEnd().split('\n').at(-1)]).toEqual([1, '0 passed, 1 failed'])
    const report = JSON.parse(readFileSync(json, 'utf8')) as Report
    expect(report).toMatchObject({
      suite: 'eccp-conformance',
      format: 1,
      node: { url: node.url, server_name: 'node.test', versions: expect.arrayContaining(['v0.1']) },
      second: null,
      passed: 0,
      failed: 1,
      results: [{ part: 'client', section: '10.3', outcome: 'failed' }],
    })
    const text = readFileSync(markdown, 'utf8')
    expect(text).toMatch(/^# Conformance of node\.test\n/)
    expect(text).toMatch(/\n\| 10\.3 +\| .* \| \*\*failed\*\*: register: 403 /)
  })

  it('ends with 0 where all pass, and says what it could not run', async () => {
    const { code, output } = await run('--node', node.url, '--only', '10.12')
    expect([code, output.trimEnd().split('\n').at(-1)]).toEqual([0, '1 passed, 0 failed'])
    const alone = await run('--node', node.url, '--only', '8.9')
    expect(alone.output).toMatch(/^not run +8\.9 .*\n +needs a second node/m)
    expect([alone.code, alone.output.trimEnd().split('\n').at(-1)]).toEqual([
      1,
      '0 passed, 0 failed, 1 not run',
    ])
  })

  it('explains itself', async () => {
    const misused = await run('--node', 'nowhere')
    expect([misused.code, misused.output]).toEqual([2, expect.stringContaining('usage:')])
  })
})
