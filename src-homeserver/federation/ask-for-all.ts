/**
 * Asking one server for everything that it has of what a backup lacks (Federation §15.11): the logs of this node's own
 * accounts, the rooms both are in, and what happened there. What comes is judged like everything else.
 */
import { appendEntry, manifestEntryHash } from '../../src-shared/protocol/index.ts'
import type { SignedEntry } from '../../src-shared/protocol/index.ts'
import { manifestOf } from '../accounts.ts'
import type { Context } from '../context.ts'
import { putEntry } from '../manifest-entries.ts'
import { catchUp, isForNow } from './catch-up.ts'
import { PeerError } from './peer-calls.ts'

/** Pages of rooms. */
const MAX_PAGES = 500

/** False where it did not answer. */
export async function askForAll(context: Context, server: string): Promise<boolean> {
  try {
    for (const member of await context.storage.read((tx) => tx.rooms.localMembersAround(server)))
      await askManifest(context, server, member)
    const rooms = await roomsOf(context, server)
    for (const room of rooms) {
      const reached = await catchUp(context, room, server, [])
      if (isForNow(reached)) return false
    }
    // Those who came in since are known by now.
    for (const member of await context.storage.read((tx) => tx.rooms.localMembersAround(server)))
      await askManifest(context, server, member)
    context.log.info({ server, rooms: rooms.length }, 'a server has given what it had')
    return true
  } catch (error) {
    if (error instanceof PeerError) return false
    throw error
  }
}

/** Rooms that the server shares with this one, by its own word and as far as it is known here. */
async function roomsOf(context: Context, server: string): Promise<string[]> {
  const rooms = new Set(
    await context.storage.read((tx) => tx.rooms.ofServer(server, ['join'], '', 1_000_000)),
  )
  let after: string | null = null
  for (let page = 0; page < MAX_PAGES; page++) {
    const body: { after?: string } = after === null ? {} : { after }
    const answer = await context.peers.call(server, 'returned', { body })
    // Turned away for now; or it does not know such a question.
    if (!answer.ok && answer.status === 429) throw new PeerError('timeout')
    if (!answer.ok) break
    for (const room of answer.value.rooms) rooms.add(room)
    after = answer.value.next
    if (after === null) break
  }
  return [...rooms]
}

/** The log of an account of this node's, as far as the other server has seen it. */
async function askManifest(context: Context, server: string, member: string): Promise<void> {
  const { crypto, peers, storage, log, metrics } = context
  const account = await storage.read((tx) => tx.accounts.byMember(member))
  if (account === undefined) return
  const answer = await peers.call(server, 'manifest', {
    params: { userId: account.user_id },
    query: { from: account.height },
  })
  if (!answer.ok || answer.value.member !== member) return
  const [first, ...fresh] = answer.value.entries as readonly SignedEntry[]
  // It has seen less than what is here.
  if (first === undefined) return
  const forked = manifestEntryHash(crypto, first.entry) !== account.head
  if (forked) {
    log.warn({ server, member }, 'an own manifest is another one there')
    metrics.peerAlarm('own_manifest_forked')
    return
  }
  await storage.write(async (tx) => {
    let state = await manifestOf(context, tx, member)
    if (state.head !== account.head) return
    for (const signed of fresh) {
      const next = appendEntry(crypto, state, signed)
      if (!next.ok || !(await putEntry(context, tx, state.head, signed, next.state))) return
      state = next.state
    }
  })
}
