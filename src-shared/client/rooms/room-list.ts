/** The list of rooms, a few records of many rooms each; every room of the account is in one of them. */
import type { Reader, Step } from '../store/database.ts'
import type { Publisher } from '../views/publisher.ts'
import {
  ROOM_SLOTS,
  ROOMS_PER_RECORD,
  roomSlotsRecord,
  roomsKey,
  roomsRecord,
} from './room-records.ts'
import type { RoomEntry } from './room-records.ts'

export class RoomList {
  readonly #publish: Publisher

  constructor(publish: Publisher) {
    this.#publish = publish
  }

  async get(reader: Reader, room: string): Promise<RoomEntry | null> {
    const slots = await reader.get(roomSlotsRecord, ROOM_SLOTS)
    const slot = slots?.slots[room]
    if (slot === undefined) return null
    const record = await reader.get(roomsRecord, roomsKey(slot))
    return record?.rooms.find(({ id }) => id === room) ?? null
  }

  async all(reader: Reader): Promise<readonly RoomEntry[]> {
    const slots = await reader.get(roomSlotsRecord, ROOM_SLOTS)
    if (slots === null) return []
    const numbers = [...new Set(Object.values(slots.slots))]
    const records = await reader.getMany(roomsRecord, numbers.map(roomsKey))
    return records.flatMap((record) => record?.rooms ?? [])
  }

  /** Adds or replaces. */
  async put(step: Step, entry: RoomEntry): Promise<void> {
    const slots = (await step.get(roomSlotsRecord, ROOM_SLOTS)) ?? { v: 1, slots: {}, next: 0 }
    let slot = slots.slots[entry.id]
    if (slot === undefined) {
      const last = Math.max(0, slots.next - 1)
      const full =
        ((await step.get(roomsRecord, roomsKey(last)))?.rooms.length ?? 0) >= ROOMS_PER_RECORD
      slot = full ? last + 1 : last
      step.put(roomSlotsRecord, ROOM_SLOTS, {
        v: 1,
        slots: { ...slots.slots, [entry.id]: slot },
        next: slot + 1,
      })
    }
    const rooms = (await step.get(roomsRecord, roomsKey(slot)))?.rooms ?? []
    const known = rooms.some(({ id }) => id === entry.id)
    step.put(roomsRecord, roomsKey(slot), {
      v: 1,
      rooms: known ? rooms.map((old) => (old.id === entry.id ? entry : old)) : [...rooms, entry],
    })
    step.after(() => {
      this.#publish.room(entry.id)
    })
  }

  /** Nothing happens where the room is not known or `change` returns the same entry. */
  async update(step: Step, room: string, change: (entry: RoomEntry) => RoomEntry): Promise<void> {
    const entry = await this.get(step, room)
    if (entry === null) return
    const next = change(entry)
    if (next !== entry) await this.put(step, next)
  }
}

export function newRoomEntry(
  fields: Pick<RoomEntry, 'id' | 'kind' | 'visibility' | 'membership'> & Partial<RoomEntry>,
): RoomEntry {
  return {
    hidden: false,
    name: '',
    topic: '',
    peer: null,
    preview: null,
    lastActivity: 0,
    unread: 0,
    mentions: 0,
    memberCount: 0,
    inviter: null,
    hasDraft: false,
    leavingAt: null,
    ended: null,
    asking: 0,
    first: 0,
    last: -1,
    older: null,
    creating: false,
    partial: false,
    behind: false,
    unseen: 0,
    gaps: [],
    ...fields,
  }
}
