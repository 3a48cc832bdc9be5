import type {
  AccountView,
  Alert,
  Member,
  OwnDevice,
  Pairing,
  RoomDetails,
  RoomSummary,
  TimelineItem,
  TimelinePage,
} from '../src-shared/view-model/index.ts'
import type { Clock, Log, Random, Store, Transport } from '../src-shared/client/index.ts'
import type { Crypto } from '../src-shared/protocol/index.ts'

export interface EnginePorts {
  crypto: Crypto
  store: Store
  transport: Transport
  clock: Clock
  random: Random
  log: Log
}
export interface AccountDraft {
  readonly words: readonly string[]
  readonly confirm: readonly number[]
}
export type EngineChange =
  | { kind: 'account'; view: AccountView }
  | { kind: 'rooms'; changed: RoomSummary[]; removed: string[] }
  | { kind: 'timeline'; room: string; upserts: TimelineItem[]; removed: string[]; reset: boolean }
  | { kind: 'details'; room: string }
  | { kind: 'pairings'; pairings: Pairing[] }
  | { kind: 'alerts'; alerts: Alert[] }
  | {
      kind: 'notify'
      room: string
      roomName: string
      sender: string
      text: string
      mention: boolean
    }
  | { kind: 'signed_out'; reason: string }
export interface Engine {
  readonly account: string
  start(): void
  stop(): Promise<void>
  subscribe(listener: (change: EngineChange) => void): () => void
  view(): AccountView
  roomList(): RoomSummary[]
  alerts(): Alert[]
  pairings(): Pairing[]
  details(room: string): Promise<RoomDetails>
  page(room: string, before: string | null, limit: number): Promise<TimelinePage>
  watch(room: string | null): void
  lookUp(who: string): Promise<{
    userId: string
    name: string
    server: string
    known: boolean
    existingRoom: string | null
  }>
  startDirect(who: string): Promise<{ room: string }>
  createGroup(input: {
    name: string
    topic: string
    invite: string[]
    historyVisibility: 'invited' | 'joined' | 'shared'
  }): Promise<{ room: string; notInvited: string[] }>
  invite(room: string, who: string): Promise<void>
  accept(room: string): Promise<void>
  decline(room: string): Promise<void>
  leave(room: string): Promise<{ leavingAt: number }>
  undoLeave(room: string): Promise<void>
  rename(room: string, name: string): Promise<void>
  removeMember(room: string, member: string): Promise<void>
  markRead(room: string): Promise<void>
  markMemberSeen(room: string, member: string): Promise<Member>
  send(
    room: string,
    input: { text: string; replyTo: string | null; clientKey: string },
  ): Promise<{ key: string }>
  edit(room: string, envelope: string, text: string): Promise<void>
  delete(room: string, envelope: string): Promise<void>
  react(room: string, envelope: string, emoji: string, on: boolean): Promise<void>
  retry(room: string, key: string): Promise<void>
  cancel(room: string, key: string): Promise<void>
  draft(room: string): Promise<{ text: string; replyTo: string | null }>
  setDraft(room: string, text: string, replyTo: string | null): Promise<void>
  devices(): Promise<OwnDevice[]>
  removeDevice(device: string): Promise<void>
  answerPairing(device: string, same: boolean): Promise<void>
  invitationLink(): string
  setDisplayName(name: string): Promise<void>
  retryNow(): void
  dismissAlert(id: string): Promise<void> | void
  signOut(): Promise<void>
  setReadReceipts(on: boolean): Promise<void> | void
}
export interface EngineFactory {
  prepare(ports: { random: Random; crypto: Crypto }): AccountDraft
  create(
    ports: EnginePorts,
    draft: AccountDraft,
    input: {
      serverName: string
      name: string
      password: string
      displayName: string
      deviceName: string
    },
  ): Promise<Engine>
  signIn(
    ports: EnginePorts,
    input: { serverName: string; name: string; password: string; deviceName: string },
  ): Promise<Engine>
  open(ports: EnginePorts): Promise<Engine>
}

const missing = (): never => {
  throw new Error('the engine is not there yet')
}
export const engineFactory: EngineFactory = {
  prepare: missing,
  create: async () => missing(),
  signIn: async () => missing(),
  open: async () => missing(),
}
