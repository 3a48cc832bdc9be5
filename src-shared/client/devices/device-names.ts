/** Names of own devices. They are private: not in the manifest, told between own devices and to the node. */
import * as z from 'zod'
import { recordType } from '../store/record-type.ts'
import type { Reader, Step } from '../store/database.ts'
import { tables } from '../store/tables.ts'

const namesRecord = recordType(
  tables.account,
  z.object({ v: z.literal(1), names: z.record(z.string(), z.string()) }),
)
const KEY = 'device-names'

export class DeviceNames {
  async all(reader: Reader): Promise<Readonly<Record<string, string>>> {
    return (await reader.get(namesRecord, KEY))?.names ?? {}
  }

  async take(step: Step, device: string, name: string): Promise<void> {
    const names = await this.all(step)
    if (names[device] !== name)
      step.put(namesRecord, KEY, { v: 1, names: { ...names, [device]: name } })
  }
}
