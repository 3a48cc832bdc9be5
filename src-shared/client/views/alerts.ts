/** Alerts that wait for the user, kept until looked at or dismissed. */
import * as z from 'zod'
import { alertSchema } from '../../view-model/index.ts'
import type { Alert } from '../../view-model/index.ts'
import { recordType } from '../store/record-type.ts'
import type { Reader, Step } from '../store/database.ts'
import { tables } from '../store/tables.ts'

const MAX_ALERTS = 50
const KEY = 'alerts'
const alertsRecord = recordType(
  tables.account,
  z.object({ v: z.literal(1), alerts: z.array(alertSchema) }),
)

export async function storedAlerts(reader: Reader): Promise<readonly Alert[]> {
  return (await reader.get(alertsRecord, KEY))?.alerts ?? []
}

/** Replaces an alert of the same id. */
export async function raiseAlert(step: Step, alert: Alert): Promise<void> {
  const others = (await storedAlerts(step)).filter(({ id }) => id !== alert.id)
  step.put(alertsRecord, KEY, { v: 1, alerts: [...others, alert].slice(-MAX_ALERTS) })
}

/** Takes back every alert whose id passes; says whether there was one. */
export async function dropAlerts(step: Step, drop: (id: string) => boolean): Promise<boolean> {
  const before = await storedAlerts(step)
  const alerts = before.filter(({ id }) => !drop(id))
  if (alerts.length === before.length) return false
  step.put(alertsRecord, KEY, { v: 1, alerts })
  return true
}
