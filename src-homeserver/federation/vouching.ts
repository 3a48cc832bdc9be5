/**
 * Keys of servers that are gone (Federation §15.2). Who makes events is asked first, and its own word is all that
 * counts while it answers or ever has. Of a server that is silent and was never met, other servers of the room are asked
 * for its key document; most of those who have one must name the key. What they say can't be proved: who signs a
 * document is what it is about. So it verifies events alone, and ends when the server speaks for itself.
 */
import { MAX_ASKED_KEYS, verifyServerKeys } from '../../src-shared/api/index.ts'
import type { ServerKeys } from '../../src-shared/api/index.ts'
import type { RoomEvent } from '../../src-shared/protocol/index.ts'
import type { Context } from '../context.ts'
import { createQuota } from '../quota.ts'
import type { Quota } from '../quota.ts'
import { isAdmitted } from './admission.ts'
import { PeerError } from './peer-calls.ts'
import type { PeerErrorCode } from './peer-calls.ts'

/** Servers asked what they know. */
const MAX_WITNESSES = 8
/** What one has said, or that it has said nothing, counts for so long. */
const SAID_MS = 2000
const MAX_SAID = 10_000
const TIMEOUT_MS = 5000
/** Servers whose events come in one go and whose keys are fetched for it. */
const MAX_ORIGINS = 64
const AT_ONCE = 16
/** Who makes up servers does not make this node ask others without end. */
const ROUNDS = { max: 30, windowMs: 60_000 }

/** Nobody is there who could answer for the server. What answers oddly is there. */
const SILENT: ReadonlySet<PeerErrorCode> = new Set<PeerErrorCode>([
  'unreachable',
  'certificate',
  'timeout',
  'inner_address',
  'server_error',
])

/** Where events come from. */
export interface Source {
  readonly room: string
  /** Who gives them. */
  readonly from: string
  /** Servers that are said to be in the room. */
  readonly others?: readonly string[]
}

/** What one server says of another's keys. */
export interface Voice {
  readonly by: string
  readonly document: ServerKeys
  /** Of its own knowledge, as it says. */
  readonly firstHand: boolean
}

interface Said {
  readonly at: number
  readonly voice: Promise<Voice | null>
}

interface Memory {
  /** By who speaks, the room, and of whom. */
  readonly said: Map<string, Said>
  /** By who gives the events for which others are asked. */
  readonly rounds: Quota
}

const memories = new WeakMap<Context, Memory>()

function memoryOf(context: Context): Memory {
  const known = memories.get(context) ?? { said: new Map(), rounds: createQuota(ROUNDS) }
  memories.set(context, known)
  return known
}

/** Learns the keys under which `events` are signed, as far as they can be had. */
export async function learnKeys(
  context: Context,
  events: readonly RoomEvent[],
  source: Source,
): Promise<void> {
  const named = new Map<string, Set<string>>()
  for (const { pdu } of events) {
    const { origin } = pdu.event
    const ids = named.get(origin) ?? new Set<string>()
    named.set(origin, ids.add(pdu.event_sig.key_id))
  }
  named.delete(context.config.serverName)
  const gone = new Map<string, readonly string[]>()
  const rest = [...named].slice(0, MAX_ORIGINS)
  const lane = async (): Promise<void> => {
    for (let one = rest.shift(); one !== undefined; one = rest.shift()) {
      const lost = await missingKeys(context, ...one)
      if (lost.length > 0) gone.set(one[0], lost)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  if (gone.size === 0) return
  if (!memoryOf(context).rounds.take(source.from, context.now())) return
  const servers = [...gone.keys()]
  const all = await witnesses(context, events, source)
  const asked = all.filter((witness) => !gone.has(witness)).slice(0, MAX_WITNESSES)
  const said = await Promise.all(
    asked.flatMap((witness) => ask(context, witness, source.room, servers)),
  )
  const voices = said.filter((voice) => voice !== null)
  for (const [server, ids] of gone) {
    const about = voices.filter(({ document }) => document.server_name === server)
    for (const id of ids) await decide(context, server, id, about)
  }
}

/** Those for which others may speak. */
async function missingKeys(
  context: Context,
  server: string,
  ids: ReadonlySet<string>,
): Promise<string[]> {
  const { serverKeys, guards } = context
  const missing: string[] = []
  for (const id of ids) {
    let silent = false
    try {
      if ((await serverKeys.find(server, id)) !== null) continue
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
      silent = SILENT.has(error.code)
    }
    // A server that was met is taken at its own word alone, its later keys included.
    const gone = silent && !(await serverKeys.met(server))
    if (guards.holds('vouched_gone', gone)) missing.push(id)
  }
  return missing
}

/** The giver, then those who have been in the room longest: who comes in by the dozen is not asked first. */
async function witnesses(
  context: Context,
  events: readonly RoomEvent[],
  { room, from, others = [] }: Source,
): Promise<string[]> {
  const { config, outbound, storage } = context
  const residents = await storage.read((tx) => tx.rooms.residents(room))
  // Of a room that is only being learnt: whoever speaks in it, the latest first.
  const speakers = events.map(({ pdu }) => pdu.event.origin).reverse()
  const able = [...residents, ...others, ...speakers].filter(
    (server) => isAdmitted(config.federation, server) && outbound.silentSince(server) === null,
  )
  const all = new Set([from, ...able])
  all.delete(config.serverName)
  return [...all]
}

/** What `witness` says of each of `servers`, now or a moment ago. */
function ask(
  context: Context,
  witness: string,
  room: string,
  servers: readonly string[],
): Promise<Voice | null>[] {
  const { said: known } = memoryOf(context)
  const now = context.now()
  const nameOf = (server: string): string => `${witness} ${room} ${server}`
  const fresh = servers.filter((server) => {
    const said = known.get(nameOf(server))
    return server !== witness && (said === undefined || Math.abs(now - said.at) >= SAID_MS)
  })
  for (let start = 0; start < fresh.length; start += MAX_ASKED_KEYS) {
    const some = fresh.slice(start, start + MAX_ASKED_KEYS)
    const answer = callOne(context, witness, room, some)
    for (const server of some) {
      known.delete(nameOf(server))
      const voice = answer.then((all) => all.find((one) => one.document.server_name === server))
      known.set(nameOf(server), { at: now, voice: voice.then((one) => one ?? null) })
    }
  }
  const voices = servers.flatMap((server) => known.get(nameOf(server))?.voice ?? [])
  for (const [oldest] of known) {
    if (known.size <= MAX_SAID) break
    known.delete(oldest)
  }
  return voices
}

async function callOne(
  context: Context,
  witness: string,
  room: string,
  servers: readonly string[],
): Promise<Voice[]> {
  const { crypto, guards, peers } = context
  try {
    const options = { params: { roomId: room }, body: { servers: [...servers] } }
    const answer = await peers.call(witness, 'roomKeys', { ...options, timeoutMs: TIMEOUT_MS })
    if (!answer.ok) return []
    return answer.value.documents.flatMap(({ document, first_hand: firstHand }) => {
      const { server_name: server } = document
      const sound = verifyServerKeys(crypto, document, server)
      return servers.includes(server) && guards.holds('vouched_document', sound)
        ? [{ by: witness, document, firstHand }]
        : []
    })
  } catch (error) {
    if (error instanceof PeerError) return []
    throw error
  }
}

/** Base64url key, and who names it. */
export interface Named {
  readonly ed25519: string
  readonly by: readonly Voice[]
}

/**
 * What the voices that count name, the most named first: those of who has it from the server itself, or, where nobody
 * has, all. `voices`: how many count; some may not name the key at all.
 */
export function namedKeys(
  all: readonly Voice[],
  keyId: string,
): { readonly named: readonly Named[]; readonly voices: number } {
  const own = all.filter(({ firstHand }) => firstHand)
  const count = own.length > 0 ? own : all
  const by = new Map<string, Voice[]>()
  for (const voice of count) {
    const key = voice.document.keys.find(({ key_id: id }) => id === keyId)?.ed25519
    if (key !== undefined) by.set(key, [...(by.get(key) ?? []), voice])
  }
  const named = [...by].map(([ed25519, voices]) => ({ ed25519, by: voices }))
  return { named: named.sort((a, b) => b.by.length - a.by.length), voices: count.length }
}

async function decide(
  context: Context,
  server: string,
  keyId: string,
  all: readonly Voice[],
): Promise<void> {
  const { guards, log, metrics, serverKeys } = context
  const { named, voices } = namedKeys(all, keyId)
  if (named.length > 1) {
    const said = named.map(({ ed25519, by }) => ({ ed25519, by: by.map((voice) => voice.by) }))
    log.warn({ server, key: keyId, said }, 'servers differ about a key of a silent server')
    metrics.peerAlarm('vouched_keys_differ')
  }
  for (const { ed25519, by } of named) {
    const [first] = by
    if (first === undefined || !guards.holds('vouched_majority', by.length * 2 > voices)) continue
    const who = by.map((voice) => voice.by)
    await serverKeys.vouch({ server, keyId, ed25519, by: who, document: first.document })
    return
  }
}
