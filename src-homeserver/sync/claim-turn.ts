/**
 * Where several processes serve one name, the database says at which of them a device's sync is. Only a change of
 * process is written; within a process its own turns decide.
 */
import type { Context } from '../context.ts'
import type { Caller } from '../http/call.ts'
import type { Tx } from '../storage/index.ts'

type Owner = Pick<Caller, 'member' | 'device'>

/** After the turn was taken here: ends what another process does for the device. */
export async function claimTurn(context: Context, { member, device }: Owner): Promise<void> {
  const { storage } = context
  if (!storage.shared) return
  const at = await storage.read((tx) => tx.windowRooms.processOf(member, device))
  if (at === storage.process) return
  await storage.write((tx) => tx.windowRooms.setProcess(member, device, storage.process))
  storage.whisper(JSON.stringify({ turn: [member, device] }))
}

/** Asked within the transaction that remembers an answer: nothing of an overtaken sync is. */
export async function isOurTurn(
  { storage }: Pick<Context, 'storage'>,
  tx: Tx,
  { member, device }: Owner,
): Promise<boolean> {
  if (!storage.shared) return true
  return (await tx.windowRooms.processOf(member, device)) === storage.process
}
