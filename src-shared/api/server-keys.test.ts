import { expect, it } from 'vitest'
import {
  canonicalBytes,
  createNobleCrypto,
  LABELS,
  signLabelled,
  toBase64Url,
} from '../protocol/index.ts'
import { serverKeysSchema, signServerKeys, verifyServerKeys } from './server-keys.ts'

const crypto = createNobleCrypto()
const secret = new Uint8Array(32).fill(7)
const ed25519 = toBase64Url(crypto.ed25519PublicKey(secret))
const nodeKey = { keyId: 'ed25519:1', secret }
const listed = [{ key_id: 'ed25519:1', ed25519, since: 1, until: null }]
const document = signServerKeys(crypto, nodeKey, 'a.example', listed)

/** Signed as a later version might. */
function withMore(more: Readonly<Record<string, string>>) {
  const keys = listed.map((key) => ({ ...key, note: 'of the key' }))
  const said = { server_name: 'a.example', keys, ...more }
  const sig = signLabelled(crypto, secret, LABELS.serverKey, canonicalBytes(said))
  return serverKeysSchema.parse({ ...said, sig: toBase64Url(sig) })
}

it('a key document holds for its own server and under its first key', () => {
  expect(verifyServerKeys(crypto, document, 'a.example')).toBe(true)
  expect(verifyServerKeys(crypto, document, 'b.example')).toBe(false)
  const later = { ...document, keys: listed.map((key) => ({ ...key, since: 2 })) }
  expect(verifyServerKeys(crypto, later, 'a.example')).toBe(false)
})

it('members that are not known here are covered by its signature', () => {
  const arrived = withMore({ contact: 'ops@a.example' })
  expect(verifyServerKeys(crypto, arrived, 'a.example')).toBe(true)
  const changed = serverKeysSchema.parse({ ...arrived, contact: 'someone else' })
  expect(verifyServerKeys(crypto, changed, 'a.example')).toBe(false)
  const added = serverKeysSchema.parse({ ...document, contact: 'someone' })
  expect(verifyServerKeys(crypto, added, 'a.example')).toBe(false)
})
