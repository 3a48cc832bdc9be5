/**
 * A device's private prekeys as one immutable JSON value with pure functions over it (Handshake §3).
 *
 * Every function returns the next state, or the very same object where nothing changed. Publishing is
 * crash-safe: commit the state first, then send `pendingUpload`, then commit `markPublished`. The state
 * must never be restored from an old copy: a used one-time prekey that comes back would let a first
 * message be replayed.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import { base64UrlSchema, timestampSchema, toBase64Url } from '../encoding/index.ts'
import { KEM_PUBLIC_KEY_BYTES, prekeyIdSchema, signPrekey } from './bundle.ts'
import type { PrekeyKind, PrekeyUpload, PublicPrekey } from './bundle.ts'
import type { LocalDevice, Random } from './device.ts'

const DAY = 24 * 60 * 60 * 1000
/** A signed prekey (and the KEM prekey) is replaced after this many milliseconds. */
export const PREKEY_LIFETIME = 7 * DAY
/** A replaced one is kept this long for messages still on their way. */
export const PREKEY_RETENTION = 14 * DAY
/** One-time prekeys to keep in stock at the node. */
export const PREKEY_STOCK = 100
/** Private one-time prekeys kept; claims that never led to a message would pile up otherwise. */
const MAX_ONE_TIME = 1000

type RotatingPrekey = PublicPrekey & {
  /** 32-byte X25519 key, or the 64-byte ML-KEM-768 seed. */
  readonly secret: string
  readonly created: number
  /** When its successor was made; `null` for the current one. */
  readonly retired: number | null
  readonly published: boolean
}

type OneTimePrekey = PublicPrekey & { readonly secret: string; readonly published: boolean }

/** First use of a signed prekey without a one-time prekey: nothing else would stop its replay. */
type FirstEphemeral = { readonly prekey: string; readonly ephemeral: string }

export type PrekeyState = {
  readonly v: 1
  /** Newest first, never empty. */
  readonly signed: readonly RotatingPrekey[]
  readonly kem: readonly RotatingPrekey[]
  /** Oldest first. */
  readonly one_time: readonly OneTimePrekey[]
  readonly first_ephemerals: readonly FirstEphemeral[]
}

const rotatingSchema = (secretBytes: number, keyBytes: number) =>
  z.object({
    id: prekeyIdSchema,
    key: base64UrlSchema(keyBytes),
    sig: base64UrlSchema(64),
    secret: base64UrlSchema(secretBytes),
    created: timestampSchema,
    retired: timestampSchema.nullable(),
    published: z.boolean(),
  })

export const prekeyStateSchema: z.ZodType<PrekeyState> = z.object({
  v: z.literal(1),
  signed: z.array(rotatingSchema(32, 32)).min(1),
  kem: z.array(rotatingSchema(64, KEM_PUBLIC_KEY_BYTES)).min(1),
  one_time: z.array(
    z.object({
      id: prekeyIdSchema,
      key: base64UrlSchema(32),
      sig: base64UrlSchema(64),
      secret: base64UrlSchema(32),
      published: z.boolean(),
    }),
  ),
  first_ephemerals: z.array(z.object({ prekey: prekeyIdSchema, ephemeral: base64UrlSchema(32) })),
})

/** `null` for anything that is not a prekey state. */
export function parsePrekeyState(value: unknown): PrekeyState | null {
  const parsed = prekeyStateSchema.safeParse(value)
  return parsed.success ? parsed.data : null
}

export interface PrekeyMaking {
  readonly crypto: Crypto
  readonly random: Random
  readonly local: LocalDevice
}

/** A new device's first prekeys; `stock` one-time prekeys, 200 at most. */
export function generatePrekeys(
  options: PrekeyMaking & { readonly now: number; readonly stock?: number },
): PrekeyState {
  const { stock = PREKEY_STOCK } = options
  return {
    v: 1,
    signed: [makeRotating(options, 'signed')],
    kem: [makeRotating(options, 'kem')],
    one_time: Array.from({ length: stock }, () => makeOneTime(options)),
    first_ephemerals: [],
  }
}

/**
 * Replaces prekeys older than a week and forgets those replaced two weeks ago; to be called at start
 * and daily. `caughtUp` says that every message that reached the node for this device has been read:
 * until then nothing is forgotten, or a long absence would make waiting messages unreadable.
 */
export function rotatePrekeys(
  state: PrekeyState,
  options: PrekeyMaking & { readonly now: number; readonly caughtUp: boolean },
): PrekeyState {
  const signed = rotate(state.signed, options, 'signed')
  const kem = rotate(state.kem, options, 'kem')
  if (signed === state.signed && kem === state.kem) return state
  const kept = new Set(signed.map((prekey) => prekey.id))
  const first_ephemerals = state.first_ephemerals.filter(({ prekey }) => kept.has(prekey))
  return { ...state, signed, kem, first_ephemerals }
}

/** `inStock`: unclaimed one-time prekeys as the node counts them. */
export function topUpPrekeys(
  state: PrekeyState,
  options: PrekeyMaking & { readonly inStock: number; readonly stock?: number },
): PrekeyState {
  const { inStock, stock = PREKEY_STOCK } = options
  const unpublished = state.one_time.filter((prekey) => !prekey.published).length
  const missing = stock - inStock - unpublished
  if (missing <= 0) return state
  const made = Array.from({ length: missing }, () => makeOneTime(options))
  return { ...state, one_time: [...state.one_time, ...made].slice(-MAX_ONE_TIME) }
}

/** What the node has not confirmed yet, or `null`. */
export function pendingUpload(state: PrekeyState): PrekeyUpload | null {
  const [signed] = state.signed
  const [kem] = state.kem
  const oneTime = state.one_time.filter((prekey) => !prekey.published).slice(0, 200)
  const upload: PrekeyUpload = {
    ...(signed?.published === false && { signed: publicPart(signed) }),
    ...(kem?.published === false && { kem: publicPart(kem) }),
    ...(oneTime.length > 0 && { one_time: oneTime.map(publicPart) }),
  }
  return Object.keys(upload).length > 0 ? upload : null
}

/** The node may have forgotten what it confirmed: the rotating prekeys are to be published once more. */
export function republishPrekeys(state: PrekeyState): PrekeyState {
  const unpublished = ([present, ...old]: readonly RotatingPrekey[]): readonly RotatingPrekey[] =>
    present === undefined ? [] : [{ ...present, published: false }, ...old]
  return { ...state, signed: unpublished(state.signed), kem: unpublished(state.kem) }
}

/** The node has confirmed `upload`. */
export function markPublished(state: PrekeyState, upload: PrekeyUpload): PrekeyState {
  const ids = new Set(
    [upload.signed, upload.kem, ...(upload.one_time ?? [])].map((prekey) => prekey?.id),
  )
  const mark = <T extends { readonly id: string; readonly published: boolean }>(prekey: T): T =>
    ids.has(prekey.id) ? { ...prekey, published: true } : prekey
  return {
    ...state,
    signed: state.signed.map(mark),
    kem: state.kem.map(mark),
    one_time: state.one_time.map(mark),
  }
}

/** The prekeys that a first message names, as the handshake states them. */
export interface PrekeyUse {
  readonly signed: string
  readonly one_time: string | null
  readonly kem: string | null
  /** The initiator's ephemeral public key. */
  readonly ephemeral: string
}

export interface FoundPrekeys {
  readonly signed: RotatingPrekey
  readonly oneTime: OneTimePrekey | null
  readonly kem: RotatingPrekey | null
}

/** Looks up without changing anything: prekeys are spent only once the first message has opened. */
export function findPrekeys(
  state: PrekeyState,
  use: PrekeyUse,
):
  | { readonly ok: true; readonly found: FoundPrekeys }
  | { readonly ok: false; readonly code: 'unknown_prekey' | 'replayed' } {
  const signed = state.signed.find(({ id }) => id === use.signed)
  const oneTime = byId(state.one_time, use.one_time)
  const kem = byId(state.kem, use.kem)
  if (signed === undefined || oneTime === undefined || kem === undefined)
    return { ok: false, code: 'unknown_prekey' }
  const seen = state.first_ephemerals.some(
    ({ prekey, ephemeral }) => prekey === use.signed && ephemeral === use.ephemeral,
  )
  if (oneTime === null && seen) return { ok: false, code: 'replayed' }
  return { ok: true, found: { signed, oneTime, kem } }
}

/** Spends what a first message used; to be committed together with the session it made. */
export function consumePrekeys(state: PrekeyState, use: PrekeyUse): PrekeyState {
  if (use.one_time !== null)
    return { ...state, one_time: state.one_time.filter(({ id }) => id !== use.one_time) }
  const seen = { prekey: use.signed, ephemeral: use.ephemeral }
  return { ...state, first_ephemerals: [...state.first_ephemerals, seen] }
}

/** `null` where none is named, `undefined` where the named one does not exist. */
function byId<T extends { readonly id: string }>(
  list: readonly T[],
  id: string | null,
): T | null | undefined {
  return id === null ? null : list.find((item) => item.id === id)
}

function rotate(
  prekeys: readonly RotatingPrekey[],
  options: PrekeyMaking & { readonly now: number; readonly caughtUp: boolean },
  kind: 'signed' | 'kem',
): readonly RotatingPrekey[] {
  const { now, caughtUp } = options
  const kept = caughtUp
    ? prekeys.filter(({ retired }) => retired === null || now - retired < PREKEY_RETENTION)
    : prekeys
  const [current] = kept
  // A clock that was ahead must not keep a prekey in use for longer than a week.
  const age = current === undefined ? Infinity : now - current.created
  if (age >= 0 && age < PREKEY_LIFETIME) return kept.length === prekeys.length ? prekeys : kept
  const retired = kept.map((prekey) => ({ ...prekey, retired: prekey.retired ?? now }))
  return [makeRotating(options, kind), ...retired]
}

function makeRotating(
  { crypto, random, local, now }: PrekeyMaking & { readonly now: number },
  kind: 'signed' | 'kem',
): RotatingPrekey {
  const id = toBase64Url(random(12))
  const secret = random(kind === 'kem' ? 64 : 32)
  const key =
    kind === 'kem' ? crypto.mlKem768KeyPair(secret).publicKey : crypto.x25519PublicKey(secret)
  return {
    ...signPrekey(crypto, local, kind, id, toBase64Url(key)),
    secret: toBase64Url(secret),
    created: now,
    retired: null,
    published: false,
  }
}

function makeOneTime({ crypto, random, local }: PrekeyMaking): OneTimePrekey {
  const kind: PrekeyKind = 'one_time'
  const id = toBase64Url(random(12))
  const secret = random(32)
  const key = toBase64Url(crypto.x25519PublicKey(secret))
  return {
    ...signPrekey(crypto, local, kind, id, key),
    secret: toBase64Url(secret),
    published: false,
  }
}

function publicPart({ id, key, sig }: PublicPrekey): { id: string; key: string; sig: string } {
  return { id, key, sig }
}
