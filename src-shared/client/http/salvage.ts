/**
 * What can be kept of an answer that does not fit its schema: lists lose the entries that are malformed.
 * A node, or someone behind it, must not be able to stop a timeline with one bad event.
 */
import {
  accountDeviceSchema,
  manifestNewsSchema,
  syncResponseSchema,
  timelineEntrySchema,
} from '../../api/index.ts'
import { eventIdSchema, pduSchema, receiptSchema } from '../../protocol/index.ts'
import type * as z from 'zod'

type Fields = Record<string, unknown>

export function salvageSync(json: unknown): unknown {
  if (!isFields(json)) return json
  const rooms = isFields(json['rooms']) ? json['rooms'] : {}
  const account = isFields(json['account']) ? json['account'] : {}
  return {
    ...json,
    rooms: Object.fromEntries(
      Object.entries(rooms).map(([room, delta]) => [
        room,
        isFields(delta) ? salvageRoom(delta) : {},
      ]),
    ),
    to_device: fitting(syncResponseSchema.shape.to_device.element, json['to_device']),
    manifests: fitting(manifestNewsSchema, json['manifests']),
    profiles: fitting(syncResponseSchema.shape.profiles.element, json['profiles']),
    account: {
      ...account,
      pending_devices: fitting(accountDeviceSchema, account['pending_devices']),
    },
  }
}

export function salvageMessages(json: unknown): unknown {
  if (!isFields(json)) return json
  const auth = 'auth' in json ? { auth: fitting(pduSchema, json['auth']) } : {}
  return { ...json, events: fitting(timelineEntrySchema, json['events']), ...auth }
}

function salvageRoom(delta: Fields): Fields {
  const state = 'state' in delta ? { state: fitting(pduSchema, delta['state']) } : {}
  const senders = 'senders' in delta ? { senders: fitting(pduSchema, delta['senders']) } : {}
  const lapsed = 'lapsed' in delta ? { lapsed: fitting(eventIdSchema, delta['lapsed']) } : {}
  return {
    ...delta,
    timeline: fitting(timelineEntrySchema, delta['timeline']),
    receipts: fitting(receiptSchema, delta['receipts']),
    ...state,
    ...senders,
    ...lapsed,
  }
}

function fitting(schema: z.ZodType, list: unknown): unknown[] {
  return Array.isArray(list) ? list.filter((entry) => schema.safeParse(entry).success) : []
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
