/** The renderer's whole state, as plain data. Owns shapes and the initial value; no behaviour. */
import type { AppState, IpcErrorCode, Settings } from '../../src-shared/ipc/index.ts'
import type {
  Alert,
  Pairing,
  RoomDetails,
  RoomSummary,
  TimelineItem,
} from '../../src-shared/view-model/index.ts'

/** What this window holds of one room's timeline, oldest first. */
export interface Timeline {
  readonly items: readonly TimelineItem[]
  /** Where the next older page begins; null at the beginning. */
  readonly older: string | null
  readonly status: 'loading' | 'ready' | 'failed'
  readonly loadingOlder: boolean
  /** Key of the first item that was unread when the room was opened. */
  readonly unreadFrom: string | null
  /** Unread messages whose first one lies on a page not loaded yet. */
  readonly unreadMissing: number
  /** Counts full reloads, so that the view knows when to forget its scroll position. */
  readonly epoch: number
}

export interface Composer {
  readonly text: string
  readonly replyTo: string | null
  /** Envelope of the own message being edited. */
  readonly editing: string | null
  /** The draft put aside while editing. */
  readonly aside: string
}

export interface Toast {
  readonly id: string
  readonly text: string
  readonly tone: 'plain' | 'error'
  /** With a room: leaving it can be undone until `until`. */
  readonly undo: { readonly room: string; readonly until: number } | null
}

export type SettingsSection =
  'profile' | 'appearance' | 'notifications' | 'privacy' | 'devices' | 'about'

/** The one dialog that may be open. */
export type Overlay =
  | { readonly kind: 'palette' }
  /** `who`: filled in already, from a link opened outside the app. */
  | { readonly kind: 'new-conversation'; readonly who?: string }
  | { readonly kind: 'new-group' }
  | { readonly kind: 'settings'; readonly section: SettingsSection }
  | { readonly kind: 'shortcuts' }
  | { readonly kind: 'invite'; readonly room: string }
  | { readonly kind: 'rename'; readonly room: string }
  | { readonly kind: 'leave'; readonly room: string }
  | { readonly kind: 'remove-member'; readonly room: string; readonly member: string }
  | { readonly kind: 'delete-message'; readonly room: string; readonly envelope: string }
  | { readonly kind: 'message-details'; readonly room: string; readonly key: string }
  | { readonly kind: 'ban-member'; readonly room: string; readonly member: string }
  | { readonly kind: 'room-access'; readonly room: string }
  | { readonly kind: 'member-role'; readonly room: string; readonly member: string }
  | { readonly kind: 'open-link'; readonly url: string }
  | { readonly kind: 'sign-in' }

export interface UiState {
  readonly app: AppState | null
  /** Set when main could not even be asked how things stand. */
  readonly startError: IpcErrorCode | null
  readonly settings: Settings
  /** The account on screen. */
  readonly account: string | null
  readonly rooms: Readonly<Record<string, RoomSummary>>
  readonly roomsStatus: 'loading' | 'ready' | 'failed'
  readonly roomFilter: string
  readonly openRoom: string | null
  /** Rooms whose invitation is being accepted or declined. */
  readonly answering: readonly string[]
  readonly timelines: Readonly<Record<string, Timeline>>
  readonly details: Readonly<Record<string, RoomDetails>>
  /** Names of those who write, by room. */
  readonly typing: Readonly<Record<string, readonly string[]>>
  readonly composers: Readonly<Record<string, Composer>>
  readonly pairings: readonly Pairing[]
  /** Devices whose approval the user put off. */
  readonly postponed: readonly string[]
  readonly alerts: readonly Alert[]
  readonly toasts: readonly Toast[]
  readonly overlay: Overlay | null
  readonly detailsOpen: boolean
  /** Spoken by screen readers; `turn` makes a repeated text count as new. */
  readonly announcement: { readonly text: string; readonly turn: number }
}

export const emptyComposer: Composer = { text: '', replyTo: null, editing: null, aside: '' }

export const initialState: UiState = {
  app: null,
  startError: null,
  settings: {
    theme: 'system',
    notifications: 'full',
    sendReadReceipts: true,
    sendTyping: true,
    confirmLinks: true,
  },
  account: null,
  rooms: {},
  roomsStatus: 'loading',
  roomFilter: '',
  openRoom: null,
  answering: [],
  timelines: {},
  details: {},
  typing: {},
  composers: {},
  pairings: [],
  postponed: [],
  alerts: [],
  toasts: [],
  overlay: null,
  detailsOpen: true,
  announcement: { text: '', turn: 0 },
}
