/** Events between their stored row and the protocol's value. */
import {
  decodePdu,
  isJsonObject,
  isRedactable,
  parseJson,
  readContent,
  toUtf8,
} from '../../src-shared/protocol/index.ts'
import type {
  Crypto,
  Json,
  JsonObject,
  Pdu,
  RoomEvent,
  Wrap,
} from '../../src-shared/protocol/index.ts'
import { StorageError } from '../storage/index.ts'
import type { EventRow, NewEventRow } from '../storage/index.ts'

/** A wrap as it arrived. */
export interface WrapText extends Pick<Wrap, 'member' | 'device'> {
  readonly text: string
}

export function toRow(event: RoomEvent, pos: number): NewEventRow {
  const { header, pdu } = event
  const { body, ...rest } = pdu
  return {
    event_id: event.id,
    room_id: event.roomId,
    pos,
    envelope_id: event.envelopeId,
    type: header.type,
    state_key: header.state_key ?? null,
    membership: readContent(event, 'e.room.member')?.membership ?? null,
    member: header.member,
    device: header.device,
    seq: header.seq,
    origin: pdu.event.origin,
    origin_ts: pdu.event.origin_ts,
    pdu: JSON.stringify(rest),
    body,
    redacted_by: null,
    rejected: 0,
    expires_at: isRedactable(event) ? (header.expires_at ?? null) : null,
  }
}

/** As it goes on the wire, straight from the row. */
export function toPdu(row: Pick<EventRow, 'pdu' | 'body'>): Pdu {
  return { ...(JSON.parse(row.pdu) as Omit<Pdu, 'body'>), body: row.body }
}

/** Decoded again, ids recomputed: a damaged record is not taken for an event. */
export function toEvent(crypto: Crypto, row: EventRow): RoomEvent {
  const stored = parseJson(toUtf8(row.pdu), { maxBytes: 1024 * 1024 })
  if (!isJsonObject(stored)) throw new StorageError('corrupted')
  const input: JsonObject = { ...stored, body: row.body }
  const decoded = decodePdu(crypto, input satisfies Json)
  if (!decoded.ok || decoded.event.id !== row.event_id) throw new StorageError('corrupted')
  return decoded.event
}
