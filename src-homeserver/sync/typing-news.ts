/** Who is writing, as one account may know it now (Sync §8). */
import type { Context } from '../context.ts'
import type { Caller } from '../http/call.ts'

/** Who but the caller writes in `rooms`, of those the caller is in now. */
export async function typingFor(
  { storage, typing }: Pick<Context, 'storage' | 'typing'>,
  { member }: Pick<Caller, 'member'>,
  rooms: readonly string[],
): Promise<Record<string, string[]>> {
  const within = await storage.read(async (tx) => {
    const own = await Promise.all(rooms.map((room) => tx.rooms.membership(room, member)))
    return rooms.filter((_room, index) => own[index]?.membership === 'join')
  })
  return Object.fromEntries(
    within.map((room) => [room, typing.members(room).filter((one) => one !== member)]),
  )
}
