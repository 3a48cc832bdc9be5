/** What was shown after the position from which a device goes on did not arrive: it is shown again. */
import type { Context } from '../context.ts'
import type { Caller } from '../http/call.ts'
import type { Position } from './position.ts'

export async function beginWindows(
  { storage }: Pick<Context, 'storage'>,
  { member, device }: Caller,
  since: Position | null,
): Promise<void> {
  const pos = since?.pos ?? -1
  if (!(await storage.read((tx) => tx.windowRooms.anyAfter(member, device, pos)))) return
  await storage.write((tx) => tx.windowRooms.dropAfter(member, device, pos))
}
