import { describeDevice } from '../accounts.ts'
import type { Handler } from '../http/call.ts'

export const devices: Handler<'devices'> = async ({ storage }, { caller }) => {
  const rows = await storage.read((tx) => tx.devices.list(caller.member))
  return { devices: rows.map(describeDevice) }
}
