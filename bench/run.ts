/**
 * All contests in one run, as Markdown: the table, which aims are missed and why, where the time goes, and what
 * the peers do that we don't. The command is `npm run bench` (scripts/bench.ts), which sees to it that the
 * peers are installed.
 */
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { compete, WARM_UP } from './contest.ts'
import { hotSpots } from './profile.ts'
import type { Contest, Contestant, Outcome } from './contest.ts'
import * as eccp from './eccp.ts'
import { LibsignalContestants } from './libsignal.ts'
import { MatrixContestants } from './matrix.ts'
import { primitives } from './primitives.ts'

const require = createRequire(import.meta.url)

/** Resolved at run time: the peers are no part of the program, and mostly not installed. */
async function peer(name: string): Promise<{ library: unknown; version: string }> {
  const folder = `./node_modules/${name}/package.json`
  const { version } = require(folder) as { version: string }
  const library: unknown = await import(name)
  return { library, version }
}

/** Enough for a median that the noise of an ordinary machine does not move much. */
const ROUNDS = 41
const DEVICES = 64
const ENCRYPTS = 28

async function contests(): Promise<readonly Contest[]> {
  const libsignal = await peer('@signalapp/libsignal-client')
  const signal = new LibsignalContestants(libsignal.library, libsignal.version)
  const wasm = await peer('@matrix-org/matrix-sdk-crypto-wasm')
  const matrix = await MatrixContestants.load(wasm.library, wasm.version)
  const than = (contestant: Contestant, aim: number | null = null) => ({ contestant, aim })
  return [
    {
      work: 'Encrypt in a session',
      bound: CALLS,
      times: 50,
      ours: eccp.sessionEncrypt(),
      peers: [than(await signal.sessionEncrypt(), 3), than(await matrix.olmEncrypt())],
    },
    {
      work: 'Decrypt in a chain',
      bound: CALLS,
      times: 50,
      ours: eccp.sessionDecrypt(),
      peers: [than(await signal.sessionDecrypt(), 3), than(await matrix.olmDecrypt())],
    },
    {
      work: 'Encrypt in a session, state read back before each step',
      bound: READING,
      times: 50,
      ours: eccp.sessionEncrypt('read back'),
      peers: [than(await signal.sessionEncrypt('read back'))],
    },
    {
      work: 'Decrypt in a chain, state read back before each step',
      bound: READING,
      times: 50,
      ours: eccp.sessionDecrypt('read back'),
      peers: [than(await signal.sessionDecrypt('read back'))],
    },
    {
      work: 'Ping-pong, a message and its reading',
      bound:
        'each message makes an X25519 key pair, agrees twice and has the new key of the peer made into a key object, without which Node agrees over nothing: about half of the time',
      times: 20,
      ours: eccp.pingPong(),
      peers: [than(await signal.pingPong(), 2)],
    },
    {
      work: 'Hybrid setup with the first message, both ends',
      bound:
        'three signatures are verified (the peer does not sign one-time prekeys, so it verifies two), ten agreements made and three key pairs; OpenSSL takes longer for these alone than a third of what the peer takes for everything',
      times: 5,
      ours: eccp.setup(),
      peers: [than(signal.setup(), 3)],
    },
    {
      work: 'Group message, encrypt (`chain`, sender key, Megolm)',
      bound: 'one signature by OpenSSL, whose Ed25519 is portable C',
      times: 50,
      ours: eccp.chainEncrypt(),
      peers: [than(signal.senderKeyEncrypt()), than(await matrix.megolmEncrypt())],
    },
    {
      work: 'Group message, decrypt (`chain`, sender key, Megolm)',
      bound:
        'to verify the one signature OpenSSL, whose Ed25519 is portable C, takes about a fifth of all that the peer takes, which leaves nothing for the rest',
      times: 50,
      ours: eccp.chainDecrypt(),
      peers: [than(signal.senderKeyDecrypt()), than(await matrix.megolmDecrypt(), 5)],
    },
    {
      work: `One message for ${String(DEVICES)} devices, against ${String(ENCRYPTS)} encrypts`,
      bound:
        '64 steps of a session, each with the calls of an encryption in a session, and 64 records of state written',
      times: 1,
      ours: eccp.fanOut(DEVICES),
      peers: [than(await signal.fanOut(ENCRYPTS), 1)],
    },
  ]
}

const CALLS =
  'ten calls of SHA-256 and one cipher object a message: OpenSSL itself takes the lesser part of them, Node calling it the greater'
const READING = 'as without reading back, and the state parsed and checked member by member'

const notes = (
  rounds: number,
): string => `Every time is for doing the work once with the same 256-byte payload, the median of ${String(rounds)} rounds in which all contestants take turns, after ${String(WARM_UP)} that do not count: what is written in JavaScript is compiled by then, as in a program that has run for a while. It is that of the processor, over all threads of the process, which does not see what else the machine did. Ratios are medians of the peer's time by ours in the same round. Every message is read at the other end and compared; where one end is measured the other is not.

State: everyone serializes after every step, ours as JSON, libsignal-client by its records; both keep the decoded state in memory beside the bytes, as the two products do. In the rows "read back" both decode it from the bytes before every step, ours with every field checked against its schema. matrix-sdk-crypto-wasm keeps its own store in memory and pickles inside it as it likes.

What the peers do that ECCP does not: libsignal-client mixes a post-quantum ratchet (SPQR) into every session, so that a session heals against a quantum computer too, while ECCP is hybrid in the handshake only; its setup uses ML-KEM-1024, ours ML-KEM-768, which is the same hybrid with the lower of the two parameter sets (NIST category 3 in place of 5); its stores are asynchronous, and each call crosses from JavaScript into a library and back. matrix-sdk-crypto-wasm runs in WebAssembly and offers Olm and Megolm only through a machine that also looks up devices and their trust on every message; Olm is not post-quantum at all.

What ECCP does that the peers do not: every message of a room commits to its content key, names its predecessor and is padded; its device's signature covers header and body (a sender key signs too, a Megolm message as well, and neither commits); what arrives is strict canonical JSON that is checked member by member, where the peers read binary formats; all of a handshake's context is bound by hash, and every prekey of a bundle is verified. A message for ${String(DEVICES)} devices is sealed and signed once and only its key is wrapped ${String(DEVICES)} times, so it is held against ${String(ENCRYPTS)} whole messages of the peer, which would have to encrypt ${String(DEVICES)}.`

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

const isMet = ({ aim, ratio }: Outcome): boolean => aim === null || ratio.processor >= aim

function line(outcome: Outcome): string {
  const { work, peer: name, ours, theirs, ratio, aim } = outcome
  const verdict = aim === null ? '' : `${String(aim)}×, ${isMet(outcome) ? 'met' : 'not met'}`
  return row([
    work,
    name,
    ours.processor.toFixed(0),
    theirs.processor.toFixed(0),
    `${ratio.processor.toFixed(1)}×`,
    `${ratio.clock.toFixed(1)}×`,
    verdict,
  ])
}

interface Held {
  readonly contest: Contest
  readonly outcomes: readonly Outcome[]
  readonly hot: readonly string[]
}

function misses(held: readonly Held[]): readonly string[] {
  const missed = held.filter(({ outcomes }) => !outcomes.every(isMet))
  if (missed.length === 0) return ['All aims are met.', '']
  const said = missed.map(({ contest, outcomes }) => {
    const short = outcomes.filter((outcome) => !isMet(outcome))
    const by = short.map(({ aim, ratio }) => `${ratio.processor.toFixed(1)}× of ${String(aim)}×`)
    return `- **${contest.work}**, ${by.join(', ')}: ${contest.bound}.`
  })
  return ['Where it falls short, and why:', '', ...said, '']
}

export interface BenchOptions {
  /** For a quick look; 41 otherwise. */
  readonly rounds?: number
  /** Part of the name of the work, in any case of letters; all of it otherwise. */
  readonly only?: string
  /** Told what has been measured, as it goes. */
  readonly progress: (line: string) => void
}

/** Markdown. */
export async function runBench({
  rounds = ROUNDS,
  only = '',
  progress,
}: BenchOptions): Promise<string> {
  const held: Held[] = []
  for (const contest of await contests()) {
    if (!contest.work.toLowerCase().includes(only.toLowerCase())) continue
    const outcomes = await compete(contest, rounds)
    for (const outcome of outcomes) progress(line(outcome))
    held.push({ contest, outcomes, hot: await hotSpots(contest) })
  }
  const [cpu] = cpus()
  const machine = `Node ${process.versions.node}, ${process.platform}-${process.arch}, ${String(cpus().length)} × ${cpu?.model ?? 'unknown'}`
  return [
    `\`npm run bench\` printed (${machine}; microseconds of the processor, medians of ${String(rounds)} rounds):`,
    '',
    row(['Work', 'Peer', 'ECCP', 'Peer', 'Ratio', 'Ratio by the clock', 'Aim']),
    row(['---', '---', '--:', '--:', '--:', '--:', '---']),
    ...held.flatMap(({ outcomes }) => outcomes.map(line)),
    '',
    ...misses(held),
    `No protocol over node:crypto is faster than its primitives, which took here: ${primitives()}. Where ECCP spends what was measured, by the functions that take most of it, what the runtime does for them included:`,
    '',
    row(['Work', 'Hot spots, share of the processor time']),
    row(['---', '---']),
    ...held.map(({ contest, hot }) => row([contest.work, hot.join('; ')])),
    '',
    notes(rounds),
    '',
  ].join('\n')
}
