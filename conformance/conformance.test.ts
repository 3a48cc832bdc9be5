/**
 * The suite against this repository's node: it passes whole, and fails without any of its guards. Short by default;
 * everything, the cases that wait included, with `ECCP_LONG`.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { readChapters } from '../spec/chapters.ts'
import { clientApi } from '../src-shared/api/index.ts'
import { ownGuards } from '../src-homeserver/guards.ts'
import { onPostgres } from '../src-homeserver/testing/database.ts'
import { allCases, hostileCases } from './cases/index.ts'
import { parts } from './case.ts'
import { readPublishedSchemas } from './published.ts'
import { toMarkdown } from './report.ts'
import { runSuite } from './suite.ts'
import { startTwo, startWeakened } from './testing/under-test.ts'
import type { UnderTest } from './testing/under-test.ts'

const long = process.env['ECCP_LONG'] === '1'
vi.setConfig({ testTimeout: long ? 1_200_000 : 240_000, hookTimeout: 120_000 })
const schemas = readPublishedSchemas()
const everyCase = parts.flatMap((part) => allCases[part])

describe('the cases', () => {
  it('name a section of the draft each', () => {
    const sections = readChapters().flatMap(({ file, text, headings }) => [
      ...headings.map(({ number }) => number),
      /^# (\d+) /m.exec(text)?.[1] ?? file,
    ])
    const lost = everyCase.filter(({ section }) => !sections.includes(section))
    expect(lost.map(({ name, section }) => `${section} ${name}`)).toEqual([])
  })

  it('have names of their own', () => {
    const names = parts.flatMap((part) => allCases[part].map(({ name }) => `${part}: ${name}`))
    expect(new Set(names).size).toBe(names.length)
  })

  it('try every guard of the node, and no other', () => {
    const codes = readFileSync(new URL('../spec/14-codes-and-limits.md', import.meta.url), 'utf8')
    const tried = new Set(hostileCases.flatMap(({ without }) => without))
    expect(ownGuards.filter((name) => !tried.has(name))).toEqual([])
    const own: readonly string[] = ownGuards
    const unknown = [...tried].filter(
      (name) => !own.includes(name) && !codes.includes(`| \`${name}\` `),
    )
    expect(unknown).toEqual([])
    for (const { without } of hostileCases) expect(without.length).toBeGreaterThan(0)
  })
})

describe('a node', () => {
  let node: UnderTest
  beforeAll(async () => {
    node = await startTwo()
  })
  afterAll(() => node.stop())

  it('conforms, alone, with another, and beside a hostile peer', async () => {
    const report = await runSuite({ ...node.options, schemas, quick: !long }, node.listener)
    const database = onPostgres ? 'postgresql' : 'sqlite'
    if (long) keep(`conformance-${database}`, JSON.stringify(report, null, 2), toMarkdown(report))
    const failed = report.results.filter(({ outcome }) => outcome === 'failed')
    expect(failed.map(({ section, name, reason }) => `${section} ${name}: ${reason}`)).toEqual([])
    const slow = everyCase.filter((one) => one.slow === true)
    const left = report.results.filter(({ outcome }) => outcome === 'not_run')
    expect(left.map(({ name }) => name)).toEqual(long ? [] : slow.map(({ name }) => name))
    expect(report.passed).toBe(everyCase.length - report.not_run)
    expect(report.node.endpoints).toEqual(Object.keys(clientApi).sort())
  })
})

/** Of each kind one, the cheapest. */
const sample = [
  'request_replay',
  'bad_event_signature',
  'rests_on_rejected',
  'missing_events',
  'wrap_home',
  'room_view',
]

describe('a node without a guard', () => {
  const chosen = hostileCases.filter(({ without }) => long || sample.includes(without[0] ?? ''))

  it.each(chosen.map((one) => [one.without.join(' and '), one.name, one] as const))(
    'of %s fails where a node %s',
    async (_guards, _name, one) => {
      const node = await startWeakened(one.without)
      try {
        const options = { ...node.options, schemas, chosen: (other: object) => other === one }
        const report = await runSuite(options, node.listener)
        expect(report.results.map(({ outcome }) => outcome)).toEqual(['failed'])
      } finally {
        await node.stop()
      }
    },
  )
})

function keep(name: string, json: string, markdown: string): void {
  const folder = join(import.meta.dirname, '..', 'artefacts')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${name}.json`), `${json}\n`)
  writeFileSync(join(folder, `${name}.md`), markdown)
}
