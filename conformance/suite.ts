/** The suite as one call: meets the nodes, opens the fake peers, runs the cases, makes the report. */
import { readFileSync } from 'node:fs'
import { allCases } from './cases/index.ts'
import type { Case } from './case.ts'
import { PeerListener } from './fake-peer.ts'
import type { FakePeer } from './fake-peer.ts'
import { meet } from './place.ts'
import { readPublishedSchemas } from './published.ts'
import type { PublishedSchemas } from './published.ts'
import { makeReport } from './report.ts'
import type { Report } from './report.ts'
import type { Options } from './options.ts'
import { runCases } from './run.ts'
import type { Result, Selection } from './run.ts'
import { peerRoles, Setting } from './setting.ts'
import type { PeerRole } from './setting.ts'

export type SuiteOptions = Pick<
  Options,
  'node' | 'federation' | 'registerCode' | 'second' | 'secondRegisterCode' | 'peers'
> & {
  readonly quick?: boolean
  readonly cases?: Selection['cases']
  readonly chosen?: (one: Case) => boolean
  readonly onResult?: (result: Result) => void
  readonly schemas?: PublishedSchemas
}

export function openPeers({ listen, tls }: Pick<Options, 'listen' | 'tls'>): Promise<PeerListener> {
  const files =
    tls === null
      ? null
      : { cert: readFileSync(tls.certificate, 'utf8'), key: readFileSync(tls.key, 'utf8') }
  return PeerListener.open({ ...listen, tls: files })
}

/** `listener`: where fake peers answer; null where there are none. The caller closes it. */
export async function runSuite(
  options: SuiteOptions,
  listener: PeerListener | null,
): Promise<Report> {
  const began = Date.now()
  const schemas = options.schemas ?? readPublishedSchemas()
  const node = await meet(
    {
      url: options.node,
      federationUrl: options.federation,
      registerCode: options.registerCode,
    },
    schemas,
  )
  const second =
    options.second === null
      ? null
      : await meet(
          { url: options.second, federationUrl: null, registerCode: options.secondRegisterCode },
          schemas,
        )
  const peers = new Map<PeerRole, FakePeer>()
  if (listener !== null)
    for (const [index, name] of options.peers.entries()) {
      const role = peerRoles[index]
      if (role !== undefined) peers.set(role, listener.add(name))
    }
  const setting = new Setting({ node, second, peers, schemas })
  const { quick = false, chosen, onResult } = options
  const results = await runCases(setting, {
    cases: options.cases ?? allCases,
    quick,
    ...(chosen === undefined ? {} : { chosen }),
    ...(onResult === undefined ? {} : { onResult }),
  })
  return makeReport({ began, ended: Date.now(), node, second, peers: options.peers }, results)
}

/** Whether a case is meant by `--only`. */
export function choosing(only: string | null): (one: Case) => boolean {
  if (only === null) return () => true
  return ({ name, section }) =>
    name.includes(only) || section === only || section.startsWith(`${only}.`)
}
