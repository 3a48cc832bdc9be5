/**
 * The IPC contract: one value from which both ends are derived.
 *
 * `calls` are requests from the renderer to main; main validates the input with the schema before it
 * looks at it, and the renderer gets a typed function each. `events` go from main to the renderer.
 * A call never throws across the boundary: it answers `{ok: true, value}` or `{ok: false, error}`,
 * where the error code is from the closed set below and carries no user text.
 */
import * as z from 'zod'
import {
  accountViewSchema,
  alertSchema,
  joinRuleSchema,
  roleSchema,
  memberSchema,
  ownDeviceSchema,
  pairingSchema,
  roomDetailsSchema,
  roomSummarySchema,
  timelineItemSchema,
  timelinePageSchema,
} from '../view-model/index.ts'

export const errorCodes = [
  'bad_input',
  'offline',
  'timeout',
  'homeserver_unreachable',
  'not_a_homeserver',
  'certificate',
  'wrong_password',
  'wrong_words',
  'weak_password',
  'name_taken',
  'bad_name',
  'unknown_user',
  'peer_unreachable',
  'yourself',
  'identity_mismatch',
  'unknown_room',
  'signed_out',
  'not_allowed',
  'rate_limited',
  'too_large',
  'too_many_devices',
  'locked',
  'wrong_passphrase',
  'keychain_unavailable',
  'vault_damaged',
  'already_exists',
  'cancelled',
  'not_supported',
  'server_error',
  'internal',
] as const
export type IpcErrorCode = (typeof errorCodes)[number]
export const ipcErrorSchema = z.object({
  code: z.enum(errorCodes),
  /** Milliseconds until a new try makes sense, where known. */
  retryAfter: z.int().nonnegative().optional(),
})
export type IpcError = z.infer<typeof ipcErrorSchema>

const id = z.string().min(1).max(512)
const empty = z.object({})
const nothing = z.null()
const account = z.object({ account: id })
const inRoom = z.object({ account: id, room: id })
/** Shown to everyone in the room; empty: none. */
const reason = z.string().max(512)
const secretText = z.string().min(1).max(1024)

/** Where the app stands as a whole; decides which screen is shown first. */
export const appStateSchema = z.object({
  stage: z.enum(['starting', 'onboarding', 'needs_passphrase', 'locked', 'vault_problem', 'ready']),
  /** Why the vault can't be opened as usual; null otherwise. */
  problem: z
    .object({
      what: z.enum([
        'keychain_locked',
        'keychain_changed',
        'record_corrupted',
        'rolled_back',
        'vault_missing',
        'key_missing',
        'newer_version',
      ]),
      canUsePassphrase: z.boolean(),
      canStartFreshSessions: z.boolean(),
      canStartOver: z.boolean(),
    })
    .nullable(),
  keychain: z.enum(['available', 'none', 'unreadable']),
  personalNode: z.object({
    state: z.enum(['running', 'starting', 'stopped', 'none']),
    url: z.string().max(512).nullable(),
    serverName: z.string().max(255).nullable(),
  }),
  developmentShell: z.boolean(),
  version: z.string().max(64),
  accounts: z.array(accountViewSchema),
})
export type AppState = z.infer<typeof appStateSchema>

export const settingsSchema = z.object({
  theme: z.enum(['system', 'light', 'dark']),
  notifications: z.enum(['full', 'name_only', 'none']),
  sendReadReceipts: z.boolean(),
  sendTyping: z.boolean(),
  confirmLinks: z.boolean(),
})
export type Settings = z.infer<typeof settingsSchema>

export const calls = {
  'app.state': { input: empty, output: appStateSchema },
  /** First passphrase, where there is no keychain; or the app lock. */
  'app.setPassphrase': {
    input: z.object({ passphrase: secretText, current: secretText.nullable() }),
    output: nothing,
  },
  'app.unlock': { input: z.object({ passphrase: secretText }), output: nothing },
  'app.lock': { input: empty, output: nothing },
  /** Looks again whether a vault that could not be opened can be: the keychain may be back. */
  'app.checkAgain': { input: empty, output: nothing },
  /** After a damaged or rolled-back vault: drop sessions and make new ones, keep what can be read. */
  'app.startFreshSessions': { input: empty, output: nothing },
  /** What can't be opened by any means is put aside, not deleted; the app begins as if it were new. */
  'app.startOver': { input: empty, output: nothing },
  'app.settings': { input: empty, output: settingsSchema },
  'app.setSettings': { input: settingsSchema.partial(), output: settingsSchema },
  'app.openExternal': { input: z.object({ url: z.string().max(4096) }), output: nothing },
  'app.copyText': { input: z.object({ text: z.string().max(20_000) }), output: nothing },
  /** Opens an independent second profile in a process of its own. */
  'app.openSecondProfile': { input: empty, output: nothing },
  /** The answer to `closing`: everything that waited to be saved is on its way. */
  'app.readyToClose': { input: empty, output: nothing },

  /** Makes recovery words for an account about to be created; they live in main until it is. */
  'account.prepare': {
    input: empty,
    output: z.object({
      ticket: id,
      words: z.array(z.string()).length(24),
      confirm: z.array(z.int().min(0).max(23)).length(3),
    }),
  },
  'account.checkServer': {
    input: z.object({ server: z.string().max(512) }),
    output: z.object({
      url: z.string(),
      serverName: z.string(),
      registration: z.enum(['open', 'closed', 'token']),
    }),
  },
  'account.create': {
    input: z.object({
      ticket: id,
      /** URL or server name; null is the personal node. */
      server: z.string().max(512).nullable(),
      name: z.string().max(64),
      password: secretText,
      displayName: z.string().max(128),
      /** What a server with `registration: 'token'` asks for; null elsewhere. */
      registrationToken: z.string().min(1).max(256).nullable(),
      /** The words at the positions asked for in `account.prepare`, in that order. */
      confirmation: z.array(z.string().max(32)).length(3),
    }),
    output: accountViewSchema,
  },
  /** Signs in on a further device, which stays pending until approved on another one. */
  'account.signIn': {
    input: z.object({
      server: z.string().max(512).nullable(),
      name: z.string().max(320),
      password: secretText,
    }),
    output: accountViewSchema,
  },
  'account.signOut': { input: account, output: nothing },
  'account.setDisplayName': {
    input: account.extend({ displayName: z.string().max(128) }),
    output: nothing,
  },
  'account.devices': { input: account, output: z.array(ownDeviceSchema) },
  'account.removeDevice': { input: account.extend({ device: id }), output: nothing },
  'account.pairings': { input: account, output: z.array(pairingSchema) },
  'account.alerts': { input: account, output: z.array(alertSchema) },
  /** The user says that both codes are the same (or are not). */
  'account.answerPairing': {
    input: account.extend({ device: id, same: z.boolean() }),
    output: nothing,
  },
  'account.invitationLink': { input: account, output: z.object({ link: z.string().max(2048) }) },
  'account.retryNow': { input: account, output: nothing },

  'rooms.list': { input: account, output: z.array(roomSummarySchema) },
  'rooms.details': { input: inRoom, output: roomDetailsSchema },
  /** `who`: user id, bare name on the own server, or invitation link. */
  'rooms.lookUp': {
    input: account.extend({ who: z.string().max(2048) }),
    output: z.object({
      userId: id,
      name: z.string(),
      server: z.string(),
      known: z.boolean(),
      existingRoom: id.nullable(),
    }),
  },
  'rooms.startDirect': {
    input: account.extend({ who: z.string().max(2048) }),
    output: z.object({ room: id }),
  },
  'rooms.createGroup': {
    input: account.extend({
      name: z.string().min(1).max(128),
      topic: z.string().max(1024),
      invite: z.array(z.string().max(2048)).max(64),
      historyVisibility: z.enum(['invited', 'joined', 'shared']),
    }),
    output: z.object({ room: id, notInvited: z.array(z.string()) }),
  },
  'rooms.invite': { input: inRoom.extend({ who: z.string().max(2048) }), output: nothing },
  'rooms.accept': { input: inRoom, output: nothing },
  'rooms.decline': { input: inRoom, output: nothing },
  /** Leaves after a grace time during which `rooms.undoLeave` takes it back. */
  'rooms.leave': { input: inRoom, output: z.object({ leavingAt: z.int() }) },
  'rooms.undoLeave': { input: inRoom, output: nothing },
  'rooms.rename': { input: inRoom.extend({ name: z.string().min(1).max(128) }), output: nothing },
  'rooms.removeMember': { input: inRoom.extend({ member: id, reason }), output: nothing },
  'rooms.ban': { input: inRoom.extend({ member: id, reason }), output: nothing },
  'rooms.unban': { input: inRoom.extend({ member: id }), output: nothing },
  'rooms.answerKnock': {
    input: inRoom.extend({ member: id, letIn: z.boolean() }),
    output: nothing,
  },
  'rooms.setJoinRule': { input: inRoom.extend({ rule: joinRuleSchema }), output: nothing },
  'rooms.setRole': { input: inRoom.extend({ member: id, role: roleSchema }), output: nothing },
  'rooms.link': { input: inRoom, output: z.object({ link: z.string().max(2048) }) },
  /** `link`: an `eccp:room/` link or a room id. */
  'rooms.lookUpRoom': {
    input: account.extend({ link: z.string().max(2048) }),
    output: z.object({
      room: id,
      name: z.string(),
      topic: z.string(),
      server: z.string(),
      joinRule: joinRuleSchema,
      standing: z.enum(['none', 'invite', 'join', 'knock', 'ban']),
    }),
  },
  /** Comes in where everybody may, asks to come in elsewhere. */
  'rooms.enter': {
    input: account.extend({ link: z.string().max(2048) }),
    output: z.object({ room: id, joined: z.boolean() }),
  },
  'rooms.withdrawKnock': { input: inRoom, output: nothing },
  /** Takes a room that is over out of the list. */
  'rooms.forget': { input: inRoom, output: nothing },
  /** The user writes in the room, or no longer does. */
  'rooms.writing': { input: inRoom.extend({ on: z.boolean() }), output: nothing },
  /** Marks as read up to the newest item shown. */
  'rooms.markRead': { input: inRoom, output: nothing },
  'rooms.markMemberSeen': { input: inRoom.extend({ member: id }), output: memberSchema },

  'timeline.page': {
    input: inRoom.extend({ before: z.string().max(64).nullable(), limit: z.int().min(1).max(200) }),
    output: timelinePageSchema,
  },
  /** Tells main what is on screen, so that it pushes updates for that room only. */
  'timeline.watch': { input: account.extend({ room: id.nullable() }), output: nothing },

  'message.send': {
    input: inRoom.extend({
      text: z.string().min(1).max(16_000),
      replyTo: id.nullable(),
      clientKey: id,
    }),
    output: z.object({ key: id }),
  },
  'message.edit': {
    input: inRoom.extend({ envelope: id, text: z.string().min(1).max(16_000) }),
    output: nothing,
  },
  'message.delete': { input: inRoom.extend({ envelope: id }), output: nothing },
  'message.react': {
    input: inRoom.extend({ envelope: id, emoji: z.string().min(1).max(32), on: z.boolean() }),
    output: nothing,
  },
  'message.retry': { input: inRoom.extend({ key: id }), output: nothing },
  /** Takes a message back that has not left yet. */
  'message.cancel': { input: inRoom.extend({ key: id }), output: nothing },
  'draft.get': {
    input: inRoom,
    output: z.object({ text: z.string().max(20_000), replyTo: id.nullable() }),
  },
  'draft.set': {
    input: inRoom.extend({ text: z.string().max(20_000), replyTo: id.nullable() }),
    output: nothing,
  },
  'alert.dismiss': { input: account.extend({ id }), output: nothing },
} as const satisfies Record<string, { input: z.ZodType; output: z.ZodType }>

export type Calls = typeof calls
export type CallName = keyof Calls
export type CallInput<N extends CallName> = z.infer<Calls[N]['input']>
export type CallOutput<N extends CallName> = z.infer<Calls[N]['output']>
export type CallResult<N extends CallName> =
  { ok: true; value: CallOutput<N> } | { ok: false; error: IpcError }

export const events = {
  'app.state': appStateSchema,
  settings: settingsSchema,
  account: accountViewSchema,
  /** Changed rooms only; `removed` are gone from the list. */
  rooms: z.object({ account: id, changed: z.array(roomSummarySchema), removed: z.array(id) }),
  /** For the watched room: items to insert or replace by key, newest last. `reset` asks to load anew. */
  timeline: z.object({
    account: id,
    room: id,
    upserts: z.array(timelineItemSchema).max(400),
    removed: z.array(id),
    reset: z.boolean(),
  }),
  details: z.object({ account: id, room: id }),
  /** Who writes in the watched room now; whatever was said of it before no longer counts. */
  typing: z.object({ account: id, room: id, names: z.array(z.string().max(512)).max(32) }),
  pairings: z.object({ account: id, pairings: z.array(pairingSchema) }),
  alerts: z.object({ account: id, alerts: z.array(alertSchema) }),
  /** The user clicked a notification or a link that names a room. */
  navigate: z.object({ account: id, room: id }),
  /** The user opened an `eccp:` link outside the app; nothing is done with it yet. */
  link: z.object({ link: z.string().max(2048) }),
  /** The app is about to end: what the window has not saved yet, it saves now. */
  closing: empty,
} as const satisfies Record<string, z.ZodType>

export type Events = typeof events
export type EventName = keyof Events
export type EventPayload<N extends EventName> = z.infer<Events[N]>

/** What the preload script exposes as `window.privchat`; nothing else crosses. */
export interface Bridge {
  call<N extends CallName>(name: N, input: CallInput<N>): Promise<CallResult<N>>
  on<N extends EventName>(name: N, listener: (payload: EventPayload<N>) => void): () => void
}

/** Electron channel names; one for all calls and one for all events, so nothing else is exposed. */
export const callChannel = 'privchat:call'
export const eventChannel = 'privchat:event'
