/**
 * One signing key for all processes of a node. It stays in its file, which they share; the data remembers which
 * one it is, so that a process with another file does not sign for the same name.
 */
import { openNodeKeys, rotateNodeKey } from './signing-key.ts'
import type { LiveNodeKeys, NodeKeys, PublicNodeKey } from './signing-key.ts'
import { StorageError } from './storage/index.ts'
import type { Storage, Tx } from './storage/index.ts'

type Inputs = Parameters<typeof openNodeKeys>[0]

/** Throws `StorageError('other_key')`. */
export async function openKeys(storage: Storage, inputs: Inputs): Promise<LiveNodeKeys> {
  if (!storage.shared) return openNodeKeys(inputs)
  // Inside a write, so that of two processes that start together one makes the key and the other reads it.
  return storage.write(async (tx) => {
    const keys = openNodeKeys(inputs)
    const known = await tx.facts.get('signing_key')
    if (known !== undefined && !keys.published.some(({ ed25519 }) => ed25519 === known))
      throw new StorageError('other_key')
    if (known !== signing(keys)) await note(tx, keys)
    return keys
  })
}

/**
 * The public halves outlive their file: events under them stay. Gives those that have signed and are not in the file
 * any more.
 */
export async function keepPublicKeys(
  storage: Storage,
  server: string,
  keys: LiveNodeKeys,
  now: number,
): Promise<readonly PublicNodeKey[]> {
  const inFile = keys.published.filter(({ lost }) => lost === undefined)
  const lost = await storage.write(async (tx) => {
    const before = await tx.federation.keys(server)
    for (const { key_id, ed25519, since, until } of inFile)
      await tx.federation.putKey({ server, key_id, ed25519, since, until, seen_at: now })
    const gone = before.filter(({ key_id: id }) => !inFile.some((key) => key.key_id === id))
    for (const row of gone.filter(({ until }) => until === null))
      await tx.federation.putKey({ ...row, until: now })
    return gone.map(({ key_id, ed25519, since, until }) => ({
      ...{ key_id, ed25519, since: Number(since) },
      until: until === null ? now : Number(until),
      lost: true as const,
    }))
  })
  keys.remember(lost)
  return lost
}

/** Says whether it did. */
export async function rotateIfOlder(
  storage: Storage,
  keys: LiveNodeKeys,
  maxAgeMs: number,
  now: number,
): Promise<boolean> {
  if (!storage.shared) return keys.rotateIfOlder(maxAgeMs, now)
  return storage.write(async (tx) => {
    // Another process may have done it.
    keys.reload()
    if (!keys.rotateIfOlder(maxAgeMs, now)) return false
    await note(tx, keys)
    return true
  })
}

/** Whatever the data says the key was; running processes take the new one over. */
export async function rotateNow(storage: Storage, inputs: Inputs): Promise<NodeKeys> {
  return storage.write(async (tx) => {
    const keys = rotateNodeKey(inputs)
    await note(tx, keys)
    return keys
  })
}

async function note(tx: Tx, keys: NodeKeys): Promise<void> {
  await tx.facts.put('signing_key', signing(keys))
}

function signing({ published: [current] }: NodeKeys): string {
  return current?.ed25519 ?? ''
}
