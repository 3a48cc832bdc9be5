/** What a run has found, for machines (JSON) and for people (Markdown). */
import type { NodePlace } from './place.ts'
import type { Result } from './run.ts'
import { parts } from './case.ts'
import type { Part } from './case.ts'

export interface Tested {
  readonly url: string
  readonly server_name: string
  readonly software: string
  readonly versions: readonly string[]
  /** Endpoints of the client API that were asked, by name. */
  readonly endpoints: readonly string[]
}

export interface Report {
  readonly suite: 'eccp-conformance'
  readonly format: 1
  /** Milliseconds since the epoch. */
  readonly began: number
  readonly ended: number
  readonly node: Tested
  readonly second: Tested | null
  /** Names of the fake peers. */
  readonly peers: readonly string[]
  readonly passed: number
  readonly failed: number
  readonly not_run: number
  readonly results: readonly Result[]
}

export interface About {
  readonly began: number
  readonly ended: number
  readonly node: NodePlace
  readonly second: NodePlace | null
  readonly peers: readonly string[]
}

export function makeReport(about: About, results: readonly Result[]): Report {
  const count = (outcome: Result['outcome']): number =>
    results.filter((result) => result.outcome === outcome).length
  const { began, ended, node, second, peers } = about
  return {
    suite: 'eccp-conformance',
    format: 1,
    began,
    ended,
    node: testedOf(node),
    second: second === null ? null : testedOf(second),
    peers,
    passed: count('passed'),
    failed: count('failed'),
    not_run: count('not_run'),
    results,
  }
}

function testedOf({ url, serverName, capabilities, asked }: NodePlace): Tested {
  const { software, versions } = capabilities
  return {
    url,
    server_name: serverName,
    software: `${software.name} ${software.version}`,
    versions,
    endpoints: [...asked].sort(),
  }
}

const titles: Readonly<Record<Part, string>> = {
  client: 'Client API',
  federation: 'Federation between two nodes',
  hostile: 'A hostile peer',
}

const words: Readonly<Record<Result['outcome'], string>> = {
  passed: 'passed',
  failed: '**failed**',
  not_run: 'not run',
}

export function toMarkdown(report: Report): string {
  const { node, second, peers, results } = report
  const lines = [
    `# Conformance of ${node.server_name}`,
    '',
    `${node.software} at ${node.url}, speaking ${node.versions.join(', ')}.`,
    second === null
      ? 'No second node.'
      : `Second node: ${second.server_name}, ${second.software} at ${second.url}.`,
    peers.length === 0 ? 'No fake peers.' : `Fake peers: ${peers.join(', ')}.`,
    '',
    `**${summaryOf(report)}**, ${new Date(report.began).toISOString()}, ${Math.round((report.ended - report.began) / 1000)} s.`,
  ]
  for (const part of parts) {
    const own = results.filter((result) => result.part === part)
    if (own.length === 0) continue
    lines.push('', `## ${titles[part]}`, '', '| Section | The node … | |', '| --- | --- | --- |')
    for (const { section, name, outcome, reason } of own) {
      const why = reason === undefined ? '' : `: ${inCell(reason)}`
      lines.push(`| ${section} | ${inCell(name)} | ${words[outcome]}${why} |`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** The closing line. */
export function summaryOf({ passed, failed, not_run: notRun }: Report): string {
  return `${passed} passed, ${failed} failed${notRun > 0 ? `, ${notRun} not run` : ''}`
}

function inCell(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').slice(0, 400)
}
