/**
 * Verifying a manifest (Identity §2): from nothing, or one entry at a time.
 *
 * An entry counts only with every signature its kind needs, and with no other. Cheap structural rules
 * are checked before keys and signatures.
 */
import type { Crypto } from '../crypto.ts'
import { isAdmissibleX25519Key } from '../crypto-curve25519.ts'
import {
  canonicalBytes,
  EncodingError,
  fromBase64Url,
  labelledHash,
  LABELS,
  toBase64Url,
} from '../encoding/index.ts'
import {
  manifestEntrySchema,
  MAX_ENTRY_BYTES,
  MAX_MANIFEST_ENTRIES,
  verifyEntrySignature,
} from './manifest-entry.ts'
import type { EntryRole, SignedEntry } from './manifest-entry.ts'
import { genesisRule, ruleFor } from './manifest-rules.ts'
import type { Rule, RuleResult } from './manifest-rules.ts'
import type { ManifestErrorCode, ManifestResult, ManifestState } from './manifest-state.ts'

/** The whole chain, genesis first. */
export function verifyManifest(crypto: Crypto, entries: readonly SignedEntry[]): ManifestResult {
  return run(entries, (state, signed) => take(crypto, state, signed, true))
}

/** One more entry on top of a verified state, which stays as it is. */
export function appendEntry(
  crypto: Crypto,
  state: ManifestState,
  signed: SignedEntry,
): ManifestResult {
  return take(crypto, state, signed, true)
}

/** The first entry of an account. */
export function verifyGenesis(crypto: Crypto, signed: SignedEntry): ManifestResult {
  return take(crypto, null, signed, true)
}

/**
 * Rebuilds the state from entries that this device has verified before and kept where nobody else
 * writes (sealed vault, node database). Structure and hashes are checked, keys and signatures not.
 */
export function replayStoredManifest(
  crypto: Crypto,
  entries: readonly SignedEntry[],
): ManifestResult {
  return run(entries, (state, signed) => take(crypto, state, signed, false))
}

function run(
  entries: readonly SignedEntry[],
  next: (state: ManifestState | null, signed: SignedEntry) => ManifestResult,
): ManifestResult {
  let state: ManifestState | null = null
  for (const signed of entries) {
    const result = next(state, signed)
    if (!result.ok) return result
    state = result.state
  }
  return state === null ? refused('not_genesis', 0) : { ok: true, state }
}

function take(
  crypto: Crypto,
  before: ManifestState | null,
  signed: SignedEntry,
  checkSignatures: boolean,
): ManifestResult {
  const height = before === null ? 0 : before.height + 1
  if (height >= MAX_MANIFEST_ENTRIES) return refused('too_many_entries', height)
  const bytes = bytesOf(signed)
  if (bytes === null) return refused('malformed', height)
  if (bytes.length > MAX_ENTRY_BYTES) return refused('too_large', height)
  const hash = toBase64Url(labelledHash(crypto, LABELS.manifestEntry, bytes))
  const rule = findRule(before, signed, hash)
  if (typeof rule === 'string') return refused(rule, height)

  const usedKeys = new Set(before?.usedKeys)
  for (const key of broughtKeys(rule)) {
    if (usedKeys.has(key.text)) return refused('reused_key', height)
    usedKeys.add(key.text)
    if (checkSignatures && !isUsableKey(crypto, key)) return refused('bad_key', height)
  }
  if (checkSignatures) {
    const code = signatureError(crypto, rule, bytes, signed)
    if (code !== null) return refused(code, height)
  }
  return { ok: true, state: { ...rule.state, usedKeys } }
}

function bytesOf(signed: SignedEntry): Uint8Array | null {
  try {
    return canonicalBytes(signed.entry)
  } catch (error) {
    if (error instanceof EncodingError) return null
    throw error
  }
}

function findRule(before: ManifestState | null, signed: SignedEntry, hash: string): RuleResult {
  const kind = signed.entry['kind']
  if ((before === null) !== (kind === 'genesis')) return 'not_genesis'
  const parsed = manifestEntrySchema.safeParse(signed.entry)
  if (!parsed.success) return 'malformed'
  const entry = parsed.data
  if (entry.kind === 'genesis') return before === null ? genesisRule(entry, hash) : 'not_genesis'
  if (before === null) return 'not_genesis'
  if (entry.account !== before.fingerprint) return 'wrong_account'
  if (entry.height !== before.height + 1) return 'wrong_height'
  if (entry.prev !== before.head) return 'wrong_prev'
  return ruleFor(before, entry, hash, signed.signatures)
}

function signatureError(
  crypto: Crypto,
  rule: Rule,
  bytes: Uint8Array,
  signed: SignedEntry,
): ManifestErrorCode | null {
  const given = new Map<string, string>()
  for (const [role, signature] of Object.entries(signed.signatures))
    if (typeof signature === 'string') given.set(role, signature)
  for (const { role } of rule.needs) if (!given.has(role)) return 'missing_signature'
  if (given.size !== rule.needs.length) return 'unexpected_signature'
  const holds = (role: EntryRole, key: string): boolean =>
    verifyEntrySignature(crypto, role, key, bytes, given.get(role) ?? '')
  return rule.needs.every(({ role, key }) => holds(role, key)) ? null : 'bad_signature'
}

interface BroughtKey {
  readonly kind: 'ed25519' | 'x25519'
  readonly text: string
}

function broughtKeys({ brings }: Rule): readonly BroughtKey[] {
  return [brings.device, brings.recovery]
    .filter((keys) => keys !== undefined)
    .flatMap((keys) => [
      { kind: 'ed25519' as const, text: keys.ed25519 },
      { kind: 'x25519' as const, text: keys.x25519 },
    ])
}

function isUsableKey(crypto: Crypto, key: BroughtKey): boolean {
  const bytes = fromBase64Url(key.text)
  return key.kind === 'ed25519'
    ? crypto.ed25519IsAdmissible(bytes)
    : isAdmissibleX25519Key(crypto, bytes)
}

function refused(code: ManifestErrorCode, height: number): ManifestResult {
  return { ok: false, code, height }
}
