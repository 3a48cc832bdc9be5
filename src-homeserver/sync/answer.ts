/** An answer in the making: what one page of sync says, and how large it has grown. */
import type { Receipt, ToDeviceEnvelope, Wrap, Pdu } from '../../src-shared/protocol/index.ts'
import type {
  ListNews,
  RoomDelta,
  RoomLine,
  SyncResponse,
  TimelineEntry,
} from '../../src-shared/api/index.ts'
import { describeDevice, deviceKeys } from '../accounts.ts'
import type { Caller } from '../http/call.ts'
import { toPdu } from '../rooms/stored-event.ts'
import type { EventRow, ToDeviceRow, Tx } from '../storage/index.ts'
import type { PairingStep } from '../storage/index.ts'
import { formatBefore } from './position.ts'
import type { Bundle } from './state-bundle.ts'

export interface DraftDelta {
  membership: RoomDelta['membership']
  state: Pdu[] | undefined
  /** Of `state` and `senders`. */
  lapsed: string[]
  timeline: TimelineEntry[]
  limited: boolean
  prev: string | null
  receipts: Receipt[]
  members: RoomDelta['members']
  senders: Pdu[] | undefined
}

export class Draft {
  readonly rooms = new Map<string, DraftDelta>()
  readonly toDevice: SyncResponse['to_device'] = []
  /** Members whose heads are news. */
  readonly manifests = new Set<string>()
  /** Members whose display names are news. */
  readonly profiles = new Set<string>()
  items = 0
  bytes = 0
  /** Something happened that only the account section shows. */
  accountNews = false
  /** Of windows; null where there are none. */
  lists: Record<string, ListNews> | null = null
  readonly summaries = new Map<string, RoomLine>()

  room(id: string): DraftDelta {
    const known = this.rooms.get(id) ?? {
      membership: 'join' as const,
      state: undefined,
      lapsed: [],
      timeline: [],
      limited: false,
      prev: null,
      receipts: [],
      members: undefined,
      senders: undefined,
    }
    this.rooms.set(id, known)
    return known
  }

  /** Whether something of this room stands in the answer that comes before what is added next. */
  hasTimeline(room: string): boolean {
    return (this.rooms.get(room)?.timeline.length ?? 0) > 0
  }

  addEvent(room: string, row: EventRow, wrap: string | undefined): void {
    const delta = this.room(room)
    delta.timeline.push(timelineEntry(row, wrap))
    this.#noteMember(row.type, row.state_key)
    this.#grow(row.pdu.length + (row.body?.length ?? 0) + (wrap?.length ?? 0))
  }

  /** An invitation into a room that lives elsewhere. */
  addInvite(room: string, told: Bundle): void {
    this.restart(room, told, null).membership = 'invite'
    this.items++
  }

  /** State before the timeline begins; what was gathered of the room so far no longer counts. */
  restart(room: string, { events, lapsed }: Bundle, before: number | null): DraftDelta {
    const delta = this.room(room)
    delta.state = events
    delta.lapsed = lapsed
    delta.timeline = []
    delta.limited = before !== null
    delta.prev = before === null ? null : formatBefore(before)
    for (const pdu of events) {
      this.#noteMember(pdu.envelope.type, pdu.envelope.state_key ?? null)
      this.bytes += 700 + (pdu.body?.length ?? 0)
    }
    return delta
  }

  addReceipt(room: string, receipt: string): void {
    this.room(room).receipts.push(JSON.parse(receipt) as Receipt)
    this.#grow(receipt.length)
  }

  addToDevice(row: ToDeviceRow): void {
    this.toDevice.push({
      id: row.id,
      user_id: row.sender_user,
      member: row.sender_member,
      message: JSON.parse(row.message) as ToDeviceEnvelope,
    })
    this.#grow(row.message.length)
  }

  isEmpty(): boolean {
    return this.items === 0 && this.rooms.size === 0 && this.summaries.size === 0 && this.#quiet()
  }

  #quiet(): boolean {
    return this.manifests.size === 0 && this.profiles.size === 0 && !this.accountNews
  }

  #noteMember(type: string, stateKey: string | null): void {
    if (type === 'e.room.member' && stateKey !== null) this.profiles.add(stateKey)
  }

  #grow(bytes: number): void {
    this.items++
    this.bytes += bytes
  }
}

export function timelineEntry(row: EventRow, wrap: string | undefined): TimelineEntry {
  const pdu = toPdu(row)
  return wrap === undefined ? { pdu } : { pdu, wrap: JSON.parse(wrap) as Wrap }
}

export async function finish(
  tx: Tx,
  caller: Pick<Caller, 'member' | 'device' | 'scope'>,
  draft: Draft,
  next: string,
): Promise<SyncResponse> {
  const named = [...draft.manifests, ...draft.profiles]
  const remote = await tx.federation.accounts(named)
  const accounts = [...(await tx.accounts.byMembers(named)), ...remote]
  const rooms: Record<string, RoomDelta> = {}
  for (const [id, { state, lapsed, members, senders, ...delta }] of draft.rooms)
    rooms[id] = {
      ...delta,
      ...(state === undefined ? {} : { state }),
      ...(lapsed.length === 0 ? {} : { lapsed }),
      ...(members === undefined ? {} : { members }),
      ...(senders === undefined ? {} : { senders }),
    }
  return {
    next,
    rooms,
    to_device: draft.toDevice,
    manifests: accounts
      .filter(({ member }) => draft.manifests.has(member))
      .map(({ user_id, member, head, height }) => ({ user_id, member, head, height })),
    account: await accountSection(tx, caller),
    profiles: accounts
      .filter(({ member, display_name }) => draft.profiles.has(member) && display_name !== '')
      .map(({ user_id, display_name }) => ({ user_id, display_name })),
    ...(draft.lists === null ? {} : { lists: draft.lists }),
    ...(draft.summaries.size === 0 ? {} : { summaries: Object.fromEntries(draft.summaries) }),
  }
}

async function accountSection(
  tx: Tx,
  { member, device, scope }: Pick<Caller, 'member' | 'device' | 'scope'>,
): Promise<SyncResponse['account']> {
  const pending = (await tx.devices.list(member)).filter((row) => row.status === 'pending')
  const relayed = await tx.devices.pairings(member)
  const stock = scope === 'full' ? await tx.prekeys.oneTimeStock(member, device) : 0
  // A pending device learns of its own pairing only.
  const shown = pending.filter((row) => scope === 'full' || row.device === device)
  return {
    scope,
    one_time_prekeys: stock,
    pending_devices: shown.map(describeDevice),
    pairings: shown.flatMap((row) => {
      const own = relayed.filter((step) => step.device === row.device)
      const messages: Partial<Record<PairingStep, string>> = {}
      for (const { step, message } of own) messages[step] = message
      return own.length === 0 ? [] : [{ device: deviceKeys(row).id, messages }]
    }),
  }
}
