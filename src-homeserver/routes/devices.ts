import type { AccountDevice } from '../../src-shared/api/index.ts'
import { deviceKeys } from '../accounts.ts'
import type { Handler } from '../http/call.ts'
import type { Device } from '../storage/index.ts'

export const devices: Handler<'devices'> = async ({ storage }, { caller }) => {
  const rows = await storage.read((tx) => tx.devices.list(caller.member))
  return { devices: rows.map(describeDevice) }
}

export function describeDevice(row: Device): AccountDevice {
  return {
    device: deviceKeys(row),
    name: row.name,
    status: row.status,
    last_seen: row.last_seen,
    requested_at: row.requested_at,
  }
}
