/**
 * Signing keys of other servers (Federation §15): fetched from themselves over their checked certificate, kept
 * for ever, since what a key has signed stays. A key id stands for one key: a document that says otherwise is
 * refused as a whole. Of a server that was never met and does not answer, keys are kept apart that others vouch for
 * (`vouching.ts`), until it speaks for itself.
 */
import { fromBase64Url } from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import { verifyServerKeys } from '../../src-shared/api/index.ts'
import type { ServerKeys } from '../../src-shared/api/index.ts'
import type { Guards } from '../guards.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { NodeKeys } from '../signing-key.ts'
import type { Storage, Tx } from '../storage/index.ts'
import { PeerError } from './peer-calls.ts'
import type { PeerCalls } from './peer-calls.ts'

/** A key that the server's document does not name is not asked for again before. */
const ABSENT_MS = 30_000
const FAILED_MS = 1000
const TIMEOUT_MS = 8000
const MAX_SERVERS = 10_000
const MAX_FETCHING = 64
/** Asked anew each time that is due. */
const REFRESHED = 16

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
  /** Base64url keys by id, as far as they are known: to check what was accepted under them. */
  known(server: string): Promise<{ key_id: string; ed25519: string }[]>
  /** Whether the server itself has ever said what its keys are. */
  met(server: string): Promise<boolean>
  /** A key of a server that was never met, on the word of others. */
  vouch(key: VouchedKey): Promise<void>
  /** Asks servers that have not spoken for themselves, and those whose document can't be passed on. */
  refresh(): Promise<void>
}

export interface VouchedKey {
  readonly server: string
  readonly keyId: string
  /** Base64url. */
  readonly ed25519: string
  readonly by: readonly string[]
  /** Names it. */
  readonly document: ServerKeys
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
  let refreshed = ''

  async function stored(server: string, keyId: string): Promise<KnownServerKey | null> {
    const rows = await storage.read((tx) => tx.federation.keys(server))
    const row = rows.find((one) => one.key_id === keyId)
    return row === undefined
      ? null
      : { key: fromBase64Url(row.ed25519), current: row.until === null }
  }

  async function vouched(server: string, keyId: string): Promise<KnownServerKey | null> {
    const rows = await storage.read((tx) => tx.federation.vouchedKeys(server))
    const row = rows.find((one) => one.key_id === keyId && one.denied === 0)
    return row === undefined ? null : { key: fromBase64Url(row.ed25519), current: false }
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
    const { alarm, denied } = await storage.write(async (tx) => {
      const what = await keepOwn(tx, server, document)
      if (what === 'key_changed') return { alarm: what, denied: [] }
      const row = { server, document: JSON.stringify(document), seen_at: now() }
      await tx.federation.putKeyDocument({ ...row, first_hand: 1 })
      return { alarm: what, denied: await endVouching(tx, server, document) }
    })
    if (denied.length > 0) {
      log.warn({ server, keys: denied }, 'a server does not name keys that others have vouched for')
      metrics.peerAlarm('vouched_key_denied')
    }
    if (alarm === 'key_rotated')
      log.info({ server, key: document.keys[0]?.key_id }, 'another server has a new signing key')
    else if (alarm !== null) {
      log.warn({ server, what: alarm }, 'keys of another server')
      metrics.peerAlarm(alarm)
    }
    if (alarm === 'key_changed') throw new PeerError('bad_answer')
  }

  /** Now that the server says itself which keys it has. Gives those that it does not name. */
  async function endVouching(
    tx: Tx,
    server: string,
    document: ServerKeys,
  ): Promise<{ key: string; by: string }[]> {
    const rows = (await tx.federation.vouchedKeys(server)).filter((row) => row.denied === 0)
    if (rows.length === 0) return []
    const named = new Map(document.keys.map((key) => [key.key_id, key.ed25519]))
    const denied = rows.filter((row) => named.get(row.key_id) !== row.ed25519)
    await tx.federation.endVouching(
      server,
      denied.map((row) => row.key_id),
    )
    return denied.map((row) => ({ key: row.key_id, by: row.vouched_by }))
  }

  async function keepOwn(
    tx: Tx,
    server: string,
    document: ServerKeys,
  ): Promise<'key_changed' | 'keys_replaced' | 'key_rotated' | null> {
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
  }

  /** Asks the server, unless that is under way. */
  function ask(server: string): Promise<void> {
    const under = running.get(server) ?? fetch(server).finally(() => running.delete(server))
    running.set(server, under)
    return under
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
      if (known === null && guards.holds('vouched_request', use === 'event')) {
        const word = await vouched(server, keyId)
        if (word !== null) return word
      }
      const last = attempts.get(server)
      if (last !== undefined) {
        const age = now() - last.at
        if (last.error !== null && age >= 0 && age < FAILED_MS) throw last.error
        if (last.error === null && age >= 0 && age < ABSENT_MS) return known
      }
      // Anyone may name any server: only so many are asked at once.
      if (!running.has(server) && running.size >= MAX_FETCHING) throw new PeerError('busy')
      await ask(server)
      const found = await stored(server, keyId)
      const failed = attempts.get(server)?.error ?? null
      if (found === null && failed !== null) throw failed
      return found
    },
    forget: (server) => void attempts.delete(server),
    async known(server) {
      if (server === serverName)
        return keys.published.map(({ key_id, ed25519 }) => ({ key_id, ed25519 }))
      const rows = await storage.read(async (tx) => [
        ...(await tx.federation.vouchedKeys(server)),
        ...(await tx.federation.keys(server)),
      ])
      // Where both speak of a key, the server's own word comes last and counts.
      const keyOf = new Map(rows.map(({ key_id, ed25519 }) => [key_id, ed25519]))
      return [...keyOf].map(([key_id, ed25519]) => ({ key_id, ed25519 }))
    },
    met: async (server) =>
      server === serverName || (await storage.read((tx) => tx.federation.keys(server))).length > 0,
    async vouch({ server, keyId, ed25519, by, document }) {
      const row = { server, key_id: keyId, ed25519, vouched_by: JSON.stringify(by) }
      const seen_at = now()
      await storage.write(async (tx) => {
        await tx.federation.putVouchedKey({ ...row, denied: 0, seen_at })
        const before = await tx.federation.keyDocument(server)
        const known = before === undefined ? [] : (JSON.parse(before.document) as ServerKeys).keys
        if (before?.first_hand === 1 || known.some(({ key_id: id }) => id === keyId)) return
        const text = JSON.stringify(document)
        await tx.federation.putKeyDocument({ server, first_hand: 0, document: text, seen_at })
      })
      log.warn({ server, key: keyId, by }, 'a key of a silent server, on the word of others')
      metrics.peerAlarm('key_vouched')
    },
    async refresh() {
      const due = await storage.read((tx) => tx.federation.undocumented(refreshed, REFRESHED))
      refreshed = due.length < REFRESHED ? '' : (due.at(-1) ?? '')
      for (const server of due) if (server !== serverName) await ask(server)
    },
  }
}
