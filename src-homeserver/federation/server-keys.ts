/**
 * Signing keys of other servers (Federation §15): fetched from themselves over their checked certificate, kept
 * for ever, since what a key has signed stays. A key id stands for one key: a document that says otherwise is
 * refused as a whole.
 */
import { fromBase64Url } from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import { verifyServerKeys } from '../../src-shared/api/index.ts'
import type { ServerKeys } from '../../src-shared/api/index.ts'
import type { Guards } from '../guards.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { NodeKeys } from '../signing-key.ts'
import type { Storage } from '../storage/index.ts'
import { PeerError } from './peer-calls.ts'
import type { PeerCalls } from './peer-calls.ts'

/** A key that the server's document does not name is not asked for again before. */
const ABSENT_MS = 30_000
const FAILED_MS = 1000
const TIMEOUT_MS = 8000
const MAX_SERVERS = 10_000
const MAX_FETCHING = 64

export interface KnownServerKey {
  readonly key: Uint8Array
  /** Whether the server signs with it now, as far as is known. */
  readonly current: boolean
}

/** A request is signed now: a key that has ended may be in use again, where its server was set back. */
export type KeyUse = 'event' | 'request'

export interface ServerKeyBook {
  /** Null where the server has no such key. Throws `PeerError` where it can't be asked. */
  find(server: string, keyId: string, use?: KeyUse): Promise<KnownServerKey | null>
  /** Forgets that the server was asked a moment ago. */
  forget(server: string): void
  /** Base64url keys by id, as far as they are known. */
  known(server: string): Promise<{ key_id: string; ed25519: string }[]>
}

export interface ServerKeyParts {
  readonly serverName: string
  readonly crypto: Crypto
  readonly keys: NodeKeys
  readonly storage: Storage
  readonly calls: PeerCalls
  readonly log: Log
  readonly metrics: Metrics
  readonly guards: Guards
  readonly now: () => number
}

interface Attempt {
  readonly at: number
  readonly error: PeerError | null
}

export function createServerKeyBook(parts: ServerKeyParts): ServerKeyBook {
  const { serverName, crypto, keys, storage, calls, log, metrics, guards, now } = parts
  const attempts = new Map<string, Attempt>()
  const running = new Map<string, Promise<void>>()

  async function stored(server: string, keyId: string): Promise<KnownServerKey | null> {
    const rows = await storage.read((tx) => tx.federation.keys(server))
    const row = rows.find((one) => one.key_id === keyId)
    return row === undefined
      ? null
      : { key: fromBase64Url(row.ed25519), current: row.until === null }
  }

  async function fetch(server: string): Promise<void> {
    let error: PeerError | null = null
    try {
      const answer = await calls.call(server, 'keys', { timeoutMs: TIMEOUT_MS })
      if (!answer.ok) throw new PeerError('bad_answer')
      await keep(server, answer.value)
    } catch (thrown) {
      if (!(thrown instanceof PeerError)) throw thrown
      error = thrown
    }
    attempts.delete(server)
    attempts.set(server, { at: now(), error })
    const [oldest] = attempts.keys()
    if (attempts.size > MAX_SERVERS && oldest !== undefined) attempts.delete(oldest)
  }

  async function keep(server: string, document: ServerKeys): Promise<void> {
    if (!guards.holds('key_document', verifyServerKeys(crypto, document, server)))
      throw new PeerError('bad_answer')
    const alarm = await storage.write(async (tx) => {
      const before = await tx.federation.keys(server)
      const named = new Map(document.keys.map((key) => [key.key_id, key]))
      const changed = before.some(({ key_id, ed25519 }) => {
        const now_ = named.get(key_id)
        return now_ !== undefined && now_.ed25519 !== ed25519
      })
      if (!guards.holds('key_change', !changed)) return 'key_changed'
      const seen_at = now()
      for (const { key_id, ed25519, since, until } of document.keys)
        await tx.federation.putKey({ server, key_id, ed25519, since, until, seen_at })
      const signs = document.keys.find(({ until }) => until === null)?.key_id
      const ended = before.filter((row) => row.until === null && row.key_id !== signs)
      // An honest rotation names the old key; a server that lost it has not rotated it, and may say so.
      const lost = ended.filter(({ key_id: id }) => named.get(id)?.lost ?? !named.has(id))
      const unnamed = lost.filter(({ key_id: id }) => !named.has(id))
      for (const row of unnamed) await tx.federation.putKey({ ...row, until: seen_at, seen_at })
      if (lost.length > 0) return 'keys_replaced'
      return ended.length > 0 ? 'key_rotated' : null
    })
    if (alarm === 'key_rotated')
      log.info({ server, key: document.keys[0]?.key_id }, 'another server has a new signing key')
    else if (alarm !== null) {
      log.warn({ server, what: alarm }, 'keys of another server')
      metrics.peerAlarm(alarm)
    }
    if (alarm === 'key_changed') throw new PeerError('bad_answer')
  }

  return {
    async find(server, keyId, use = 'event') {
      if (server === serverName) {
        const own = keys.published.find((key) => key.key_id === keyId)
        return own === undefined
          ? null
          : { key: fromBase64Url(own.ed25519), current: own.until === null }
      }
      const known = await stored(server, keyId)
      if (known !== null && (known.current || use === 'event')) return known
      const last = attempts.get(server)
      if (last !== undefined) {
        const age = now() - last.at
        if (last.error !== null && age >= 0 && age < FAILED_MS) throw last.error
        if (last.error === null && age >= 0 && age < ABSENT_MS) return known
      }
      // Anyone may name any server: only so many are asked at once.
      if (!running.has(server) && running.size >= MAX_FETCHING) throw new PeerError('timeout')
      const under = running.get(server) ?? fetch(server).finally(() => running.delete(server))
      running.set(server, under)
      await under
      const found = await stored(server, keyId)
      const failed = attempts.get(server)?.error ?? null
      if (found === null && failed !== null) throw failed
      return found
    },
    forget: (server) => void attempts.delete(server),
    async known(server) {
      if (server === serverName)
        return keys.published.map(({ key_id, ed25519 }) => ({ key_id, ed25519 }))
      const rows = await storage.read((tx) => tx.federation.keys(server))
      return rows.map(({ key_id, ed25519 }) => ({ key_id, ed25519 }))
    },
  }
}
