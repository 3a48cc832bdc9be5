/** The engine as its hosts see it: the desktop's main process, bots, tests. */
import type {
  AccountView,
  Alert,
  JoinRule,
  Role,
  Member,
  OwnDevice,
  Pairing,
  RoomDetails,
  RoomSummary,
  TimelineItem,
  TimelinePage,
} from '../view-model/index.ts'

export type { JoinRule }

export type SignedOutReason = 'token_expired' | 'device_removed' | 'signed_out_elsewhere'

export type EngineChange =
  | { readonly kind: 'account'; readonly view: AccountView }
  | {
      readonly kind: 'rooms'
      readonly changed: RoomSummary[]
      /** No longer in the list. */
      readonly removed: string[]
    }
  | {
      /** Of the watched room only. */
      readonly kind: 'timeline'
      readonly room: string
      readonly upserts: TimelineItem[]
      readonly removed: string[]
      /** Load anew: more changed than can be told item by item. */
      readonly reset: boolean
    }
  | { readonly kind: 'details'; readonly room: string }
  /** Who writes in the watched room now. */
  | { readonly kind: 'typing'; readonly room: string; readonly names: string[] }
  | { readonly kind: 'pairings'; readonly pairings: Pairing[] }
  | { readonly kind: 'alerts'; readonly alerts: Alert[] }
  | {
      /** Worth a desktop notification; the host decides how much of it to show. */
      readonly kind: 'notify'
      readonly room: string
      readonly roomName: string
      readonly sender: string
      readonly text: string
      readonly mention: boolean
    }
  /** With `device_removed` the host wipes what is stored of this account. */
  | { readonly kind: 'signed_out'; readonly reason: SignedOutReason }

export interface LookUp {
  readonly userId: string
  readonly name: string
  readonly server: string
  /** Met before; the keys are those of the first time. */
  readonly known: boolean
  readonly existingRoom: string | null
}

/** A room as it is seen from outside. */
export interface FoundRoom {
  readonly room: string
  /** Empty where it has none. */
  readonly name: string
  readonly topic: string
  /** Of who has made it. */
  readonly server: string
  readonly joinRule: JoinRule
  readonly standing: 'none' | 'invite' | 'join' | 'knock' | 'ban'
}

export interface NewGroup {
  readonly name: string
  readonly topic: string
  /** User ids, bare names or invitation links. */
  readonly invite: readonly string[]
  readonly historyVisibility: 'invited' | 'joined' | 'shared'
}

/** Every call fails with `EngineError`. `room` is a room id, `envelope` an envelope id. */
export interface Engine {
  /** Fingerprint. */
  readonly account: string
  /** Begins sync, outbox and prekey upkeep. */
  start(): void
  /** Ends everything under way; resolves when nothing runs any more. */
  stop(): Promise<void>
  subscribe(listener: (change: EngineChange) => void): () => void

  view(): AccountView
  roomList(): RoomSummary[]
  alerts(): Alert[]
  pairings(): Pairing[]
  details(room: string): Promise<RoomDetails>
  /** `before`: `older` of an earlier page, or null for the newest. */
  page(room: string, before: string | null, limit: number): Promise<TimelinePage>
  /** The room on screen: its items are pushed as they change. */
  watch(room: string | null): void

  /** `who`: user id, bare name on the own server, or invitation link. */
  lookUp(who: string): Promise<LookUp>
  startDirect(who: string): Promise<{ room: string }>
  createGroup(group: NewGroup): Promise<{ room: string; notInvited: string[] }>
  invite(room: string, who: string): Promise<void>
  accept(room: string): Promise<void>
  decline(room: string): Promise<void>
  /** Leaves at `leavingAt` unless `undoLeave` comes first. */
  leave(room: string): Promise<{ leavingAt: number }>
  undoLeave(room: string): Promise<void>
  rename(room: string, name: string): Promise<void>
  /** `reason`: empty for none. */
  removeMember(room: string, member: string, reason: string): Promise<void>
  ban(room: string, member: string, reason: string): Promise<void>
  unban(room: string, member: string): Promise<void>
  answerKnock(room: string, member: string, letIn: boolean): Promise<void>
  setJoinRule(room: string, rule: JoinRule): Promise<void>
  setRole(room: string, member: string, role: Role): Promise<void>
  /** `eccp:room/…`, by which people who are not in the room find it. */
  roomLink(room: string): Promise<string>
  /** `link`: such a link, or a room id. */
  lookUpRoom(link: string): Promise<FoundRoom>
  /** Comes in where everybody may, asks to come in elsewhere. */
  enter(link: string): Promise<{ room: string; joined: boolean }>
  withdrawKnock(room: string): Promise<void>
  /** Takes a room that is over out of the list. */
  forget(room: string): Promise<void>
  markRead(room: string): Promise<void>
  markMemberSeen(room: string, member: string): Promise<Member>

  /** Durable in the outbox when it resolves; the same `clientKey` twice is one message. */
  send(
    room: string,
    message: { readonly text: string; readonly replyTo: string | null; readonly clientKey: string },
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
  /** The user has compared the codes. On the new device itself `true` starts over. */
  answerPairing(device: string, same: boolean): Promise<void>
  /** `eccp:invite/@name:server?fp=…` */
  invitationLink(): string
  setDisplayName(name: string): Promise<void>
  retryNow(): void
  dismissAlert(id: string): Promise<void>
  signOut(): Promise<void>
  /** After `token_expired`: the same device goes on, with everything it has. */
  signInAgain(password: string): Promise<void>
  setReadReceipts(on: boolean): Promise<void>
  /** Whether others are told while the user writes. */
  setTyping(on: boolean): void
  /** The user writes in the room, or no longer does. Fails never; nothing depends on it. */
  writing(room: string, on: boolean): Promise<void>
}
