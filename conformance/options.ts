/** The command line of `eccp-conformance`. */
import { parseArgs } from 'node:util'
import { parseServerName } from '../src-shared/protocol/index.ts'
import { peerRoles } from './setting.ts'

export const usage = `usage: eccp-conformance --node URL [options]

  --node URL                 where clients reach the node under test
  --federation URL           where other nodes reach it; otherwise what its .well-known names
  --register-code CODE       a code that lets the suite make accounts, where registration needs one
  --second URL               a second node that the first can reach, for federation between the two
  --second-register-code C   the same for the second
  --peer NAME                a server name under which the suite's fake peer may speak; up to ${peerRoles.length}
                             times: the node must reach each of them at --peer-listen
  --peer-listen HOST:PORT    where the fake peer listens (127.0.0.1:9448 if absent)
  --peer-certificate FILE    PEM; with --peer-key. Without them the fake peer speaks plain HTTP
  --peer-key FILE
  --quick                    leaves out the cases that wait for deadlines
  --only TEXT                only cases whose name contains TEXT, or whose section is TEXT or below it
  --json FILE                writes the report for machines
  --markdown FILE            writes the report for people
  --list                     lists the cases and ends

The suite makes accounts and rooms and leaves them behind: run it against a node that is there for it.
A private root is trusted with NODE_EXTRA_CA_CERTS=FILE.
`

export interface Options {
  readonly node: string
  readonly federation: string | null
  readonly registerCode: string | null
  readonly second: string | null
  readonly secondRegisterCode: string | null
  readonly peers: readonly string[]
  readonly listen: { readonly host: string; readonly port: number }
  readonly tls: { readonly certificate: string; readonly key: string } | null
  readonly quick: boolean
  readonly only: string | null
  readonly json: string | null
  readonly markdown: string | null
}

export type Parsed =
  | { readonly kind: 'run'; readonly options: Options }
  | { readonly kind: 'list' | 'help' }
  | { readonly kind: 'wrong'; readonly message: string }

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const

export function parseOptions(args: readonly string[]): Parsed {
  let values
  try {
    values = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        node: text,
        federation: text,
        'register-code': text,
        second: text,
        'second-register-code': text,
        peer: { type: 'string', multiple: true },
        'peer-listen': text,
        'peer-certificate': text,
        'peer-key': text,
        quick: flag,
        only: text,
        json: text,
        markdown: text,
        list: flag,
        help: flag,
      },
    }).values
  } catch (error) {
    return wrong(error instanceof Error ? error.message : 'unreadable arguments')
  }
  if (values.help === true) return { kind: 'help' }
  if (values.list === true) return { kind: 'list' }
  const { node } = values
  if (node === undefined) return wrong('--node is missing')
  for (const name of ['node', 'federation', 'second'] as const) {
    const url = values[name]
    if (url !== undefined && !/^https?:\/\/[^/?#]+\/?$/.test(url))
      return wrong(`--${name}: not a base URL`)
  }
  const peers = values.peer ?? []
  if (peers.length > peerRoles.length) return wrong(`--peer: at most ${peerRoles.length}`)
  const odd = peers.find((name) => parseServerName(name) === null)
  if (odd !== undefined || new Set(peers).size < peers.length)
    return wrong('--peer: a server name, each once')
  const listen = listenOf(values['peer-listen'] ?? '127.0.0.1:9448')
  if (listen === null) return wrong('--peer-listen: HOST:PORT')
  const { 'peer-certificate': certificate, 'peer-key': key } = values
  if ((certificate === undefined) !== (key === undefined))
    return wrong('--peer-certificate and --peer-key go together')
  return {
    kind: 'run',
    options: {
      node,
      federation: values.federation ?? null,
      registerCode: values['register-code'] ?? null,
      second: values.second ?? null,
      secondRegisterCode: values['second-register-code'] ?? null,
      peers,
      listen,
      tls: certificate === undefined || key === undefined ? null : { certificate, key },
      quick: values.quick ?? false,
      only: values.only ?? null,
      json: values.json ?? null,
      markdown: values.markdown ?? null,
    },
  }
}

function wrong(message: string): Parsed {
  return { kind: 'wrong', message }
}

function listenOf(given: string): { host: string; port: number } | null {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(given) ?? []
  const host = bracketed ?? plain
  return host === undefined || Number(port) > 65_535 ? null : { host, port: Number(port) }
}
