/**
 * The engine put together: every part made once, wired, started and stopped. The behaviour is in the
 * parts; this file only says who knows whom.
 */
import type { Pdu } from '../protocol/index.ts'
import type { Alert, Member } from '../view-model/index.ts'
import { accountRecord, identityOf, SELF } from './account/account-record.ts'
import type { AccountRecord } from './account/account-record.ts'
import { AccountTasks } from './account/account-tasks.ts'
import type { Foundation } from './account/open-database.ts'
import { renewSession } from './account/sign-up.ts'
import type { Context } from './context.ts'
import { Contacts } from './devices/contacts.ts'
import { DeviceNames } from './devices/device-names.ts'
import { OwnDevices } from './devices/own-devices.ts'
import type { Engine } from './engine-types.ts'
import { EngineError } from './errors.ts'
import { expectAnswer } from './http/errors.ts'
import { MessageActions } from './outbox/message-actions.ts'
import { Outbox } from './outbox/outbox.ts'
import { Sealer } from './outbox/seal.ts'
import { Transmitter } from './outbox/transmitter.ts'
import { ApproverPairing } from './pairing/approver.ts'
import { NewDevicePairing } from './pairing/new-device.ts'
import { Receipts } from './receipts/receipts.ts'
import { RoomMaker } from './rooms/create-room.ts'
import { DoorActions } from './rooms/door-actions.ts'
import { FarServers, hasFarMembers } from './rooms/far-servers.ts'
import { OriginKeyBook } from './rooms/origin-keys.ts'
import { RoomActions } from './rooms/room-actions.ts'
import { RoomList } from './rooms/room-list.ts'
import { RoomStates } from './rooms/room-states.ts'
import { TypingNotices } from './rooms/typing.ts'
import { invitationLink } from './rooms/who.ts'
import { KeyRequests } from './sessions/key-requests.ts'
import { PrekeyUpkeep } from './sessions/prekey-upkeep.ts'
import { SessionRepair } from './sessions/session-repair.ts'
import { Sessions } from './sessions/sessions.ts'
import { ToDeviceQueue } from './sessions/to-device-queue.ts'
import { Connection } from './sync/connection.ts'
import { Intake } from './sync/intake.ts'
import { Looking } from './sync/looking.ts'
import { SyncLoop } from './sync/sync-loop.ts'
import { ToDeviceIntake } from './sync/to-device-intake.ts'
import { MessageReader } from './timeline/message-reader.ts'
import { Timeline } from './timeline/timeline.ts'
import { dropAlerts, raiseAlert } from './views/alerts.ts'
import { ItemViews } from './views/item-view.ts'
import { Publisher } from './views/publisher.ts'
import { memberView } from './views/room-view.ts'
import { ViewBuilder } from './views/view-builder.ts'

/** `account` is past its first request: it has a member and, unless signed out, a token. */
export async function buildEngine(base: Foundation, account: AccountRecord): Promise<Engine> {
  const { ports, db, api, life, newId } = base
  const { crypto, clock, log } = ports
  const { member } = account
  if (member === null) throw new EngineError('no_account')
  base.useToken(account.token)
  const me = identityOf(crypto, account, member)
  const publish = new Publisher(log)
  const random = (length: number): Uint8Array => ports.random.bytes(length)
  const ctx: Context = { crypto, clock, log, random, db, api, life, publish, me, newId }

  const contacts = new Contacts(ctx)
  const names = new DeviceNames()
  const own = new OwnDevices(ctx, contacts, names)
  const sessions = new Sessions(ctx, contacts)
  const prekeys = new PrekeyUpkeep(ctx, contacts)
  const toDeviceQueue = new ToDeviceQueue(ctx, contacts, sessions)
  const repair = new SessionRepair(ctx, sessions, toDeviceQueue)
  const rooms = new RoomList(publish)
  const timeline = new Timeline(ctx, rooms)
  const originKeys = new OriginKeyBook(ctx)
  const states = new RoomStates(ctx, originKeys, timeline)
  const farServers = new FarServers(ctx, publish, async (room) =>
    hasFarMembers(await states.get(db, room), me.serverName),
  )
  const reader = new MessageReader(ctx, contacts, rooms, timeline)
  const receipts = new Receipts(ctx, contacts, timeline)
  const keyRequests = new KeyRequests(ctx, {
    contacts,
    toDevice: toDeviceQueue,
    timeline,
    reader,
    receipts,
  })
  const outbox = new Outbox(ctx)
  const sealer = new Sealer(ctx, { contacts, states, sessions, timeline })
  const transmitter = new Transmitter(ctx, {
    contacts,
    rooms,
    states,
    sessions,
    timeline,
    outbox,
    sealer,
  })
  const connection = new Connection(clock, publish)
  const approver = new ApproverPairing(ctx, contacts, own)
  const newDevice = new NewDevicePairing(ctx, contacts)
  const tasks = new AccountTasks(ctx, {
    contacts,
    own,
    prekeys,
    approver,
    newDevice,
    connection,
    toDevice: toDeviceQueue,
  })
  const intake = new Intake(ctx, {
    contacts,
    rooms,
    states,
    originKeys,
    sessions,
    repair,
    keyRequests,
    timeline,
    reader,
    outbox,
    receipts,
    toDevice: new ToDeviceIntake(ctx, { contacts, sessions, repair, keyRequests, names }),
    account: (step, response) => tasks.take(step, response),
    heard: (members) => toDeviceQueue.heard(members),
  })
  const typing = new TypingNotices(ctx, { contacts, rooms, states })
  const sync = new SyncLoop(ctx, connection, intake, new Looking(ctx, rooms))
  sync.onTyping = (lists) => {
    typing.take(lists)
  }
  intake.onSpoken = (room, by) => {
    typing.spoke(room, by)
  }
  transmitter.makeWhole = (room) => intake.makeWhole(room)
  const items = new ItemViews(ctx, { contacts, timeline, transmitter })
  const views = new ViewBuilder(ctx, {
    contacts,
    rooms,
    states,
    timeline,
    outbox,
    items,
    connection,
    approver,
    newDevice,
    intake,
    farServers,
  })
  let readReceipts = account.readReceipts
  const maker = new RoomMaker(ctx, { contacts, rooms, outbox })
  const roomActions = new RoomActions(ctx, {
    contacts,
    rooms,
    states,
    maker,
    outbox,
    transmitter,
    receipts,
    readReceipts: () => readReceipts,
  })
  const meet = (pdus: readonly Pdu[]): Promise<void> => intake.meet(pdus)
  const door = new DoorActions(ctx, { rooms, states, actions: roomActions, meet })
  const messageActions = new MessageActions(ctx, { rooms, states, timeline, outbox, transmitter })
  const workers = [toDeviceQueue.worker, receipts.worker, tasks.worker, farServers.worker]

  base.on.signedOut = (errcode) => {
    tasks.refusedToken(errcode)
  }
  // Whether this was one call or the whole connection is found out by asking again.
  base.on.silence = () => {
    if (connection.online) sync.retryNow()
  }
  const raise = (alert: Alert['alert']): void => {
    const raised = { id: alert.what, tier: 1, room: null, time: clock.now(), alert } as const
    // May well fail for the reason that it tells of; then the next one that succeeds tells it.
    db.step('alert', (step) => raiseAlert(step, raised)).then(
      () => {
        publish.alerts()
      },
      () => undefined,
    )
  }
  base.on.full = () => {
    raise({ what: 'storage_full' })
  }
  sync.onReset = async (step) => {
    await prekeys.forgotten(step)
    await outbox.again(step)
  }
  sync.onDamage = () => {
    raise({ what: 'vault_damaged', records: 1 })
  }
  connection.onGone = () => {
    typing.lost()
  }
  connection.onBack = () => {
    for (const worker of workers) worker.kick()
    transmitter.kickAll()
  }
  sync.beforeFirst = async () => {
    if (!(await originKeys.knows(db, me.serverName))) await originKeys.fetchOwn()
    if ((await contacts.manifest(db, me.member)) === null)
      await contacts.refresh(me.userId, me.member)
    // Published before anybody can learn of this device, so that nobody finds it without prekeys.
    if (account.phase === 'active') await prekeys.tend(null, false)
    if ((await contacts.person(db, me.member))?.name !== '') return
    const profile = await api.call('profile', { params: { userId: me.userId }, cancel: life })
    if (profile.ok)
      await db.step('person', (step) => tasks.takeName(step, profile.value.display_name))
  }
  sync.onStored = (quiet) => {
    transmitter.kickAll()
    if (!quiet) return
    tasks.caughtUp()
    keyRequests.worker.start()
  }
  await publish.open(views)

  let isRunning = false
  let running: Promise<unknown> = Promise.resolve()
  const work = async (): Promise<void> => {
    for (const worker of workers) worker.start()
    await transmitter.start()
    await roomActions.resume()
    await sync.run()
  }
  const run = (): void => {
    if (isRunning) return
    isRunning = true
    running = work()
      .catch((error: unknown) => {
        log('engine.failed', { error: error instanceof Error ? error.name : 'unknown' })
      })
      .finally(() => {
        isRunning = false
      })
  }

  const updateAccount = async (change: (now: AccountRecord) => AccountRecord): Promise<void> => {
    await db.step('account', async (step) => {
      const now = await step.get(accountRecord, SELF)
      if (now !== null) step.put(accountRecord, SELF, change(now))
      step.after(() => {
        publish.account()
      })
    })
  }

  return {
    account: member,
    start() {
      if (account.phase !== 'signed_out') run()
    },
    async stop() {
      life.cancel()
      await running
      await db.idle()
      await publish.settled()
    },
    subscribe: (listener) => publish.subscribe(listener),

    view() {
      const view = publish.accountView
      if (view === null) throw new EngineError('internal')
      return view
    },
    roomList: () => publish.summaries,
    alerts: () => publish.currentAlerts,
    pairings: () => publish.currentPairings,
    details: (room) => views.details(room),
    page: (room, before, limit) => views.page(room, before, limit),
    watch: (room) => {
      publish.watch(room)
      farServers.watch(room)
      void sync.look(room).catch(() => undefined)
      // Who looks at a room sees all who are in it.
      if (room !== null) void intake.makeWhole(room).catch(() => undefined)
    },

    lookUp: (who) => roomActions.lookUp(who),
    startDirect: (who) => roomActions.startDirect(who),
    createGroup: (group) => roomActions.createGroup(group),
    invite: (room, who) => roomActions.invite(room, who),
    accept: (room) => roomActions.accept(room),
    decline: (room) => roomActions.decline(room),
    leave: (room) => roomActions.leave(room),
    undoLeave: (room) => roomActions.undoLeave(room),
    rename: (room, name) => roomActions.rename(room, name),
    removeMember: (room, id, reason) => door.remove(room, id, reason),
    ban: (room, id, reason) => door.ban(room, id, reason),
    unban: (room, id) => door.unban(room, id),
    answerKnock: (room, id, letIn) => door.answer(room, id, letIn),
    setJoinRule: (room, rule) => door.setJoinRule(room, rule),
    setRole: (room, id, role) => roomActions.setRole(room, id, role),
    roomLink: (room) => door.link(room),
    lookUpRoom: (link) => door.lookUp(link),
    enter: (link) => door.enter(link),
    withdrawKnock: (room) => door.withdraw(room),
    forget: (room) => door.forget(room),
    markRead: (room) => roomActions.markRead(room),
    async markMemberSeen(room, id): Promise<Member> {
      await db.step('member.seen', async (step) => {
        await contacts.markSeen(step, id)
        await dropAlerts(step, (alert) => alert === `contact:${id}`)
        step.after(() => {
          publish.alerts()
          publish.details(room)
        })
      })
      return memberView(ctx, contacts, await states.get(db, room), id)
    },

    send: (room, message) => messageActions.send(room, message),
    edit: (room, envelope, text) => messageActions.edit(room, envelope, text),
    delete: (room, envelope) => messageActions.delete(room, envelope),
    react: (room, envelope, emoji, on) => messageActions.react(room, envelope, emoji, on),
    retry: (room, key) => messageActions.retry(room, key),
    cancel: (room, key) => messageActions.cancel(room, key),
    draft: (room) => messageActions.draft(room),
    setDraft: (room, text, replyTo) => messageActions.setDraft(room, text, replyTo),

    devices: () => own.list(),
    removeDevice: (device) => own.remove(device),
    async answerPairing(device, same) {
      if (device !== me.device) return approver.answer(device, same)
      if (same) await newDevice.restart()
    },
    invitationLink: () => invitationLink(me.userId, me.member),
    async setDisplayName(name) {
      await expectAnswer(api.call('setProfile', { body: { display_name: name }, cancel: life }))
      await db.step('person', (step) => tasks.takeName(step, name))
    },
    retryNow() {
      sync.retryNow()
      connection.onBack()
    },
    async dismissAlert(id) {
      await db.step('alert.dismiss', async (step) => {
        await dropAlerts(step, (alert) => alert === id)
        step.after(() => {
          publish.alerts()
        })
      })
    },
    async signOut() {
      await tasks.takeLeave()
      base.useToken(null)
      life.cancel()
    },
    async signInAgain(password) {
      const now = await db.get(accountRecord, SELF)
      if (now?.signedOut !== 'token_expired') throw new EngineError('not_allowed')
      const { token, phase } = await renewSession(base, now, password)
      base.useToken(token)
      // Not let in before, hence asking once more; without an answer the task goes on with it.
      if (phase === 'pending') await newDevice.restart().catch(() => undefined)
      connection.signedIn()
      publish.account()
      // The refusal may have come to another call than the long poll, which then goes on.
      if (isRunning) sync.retryNow()
      run()
    },
    setTyping(on) {
      typing.isOn = on
    },
    writing: (room, on) => typing.write(room, on),
    async setReadReceipts(on) {
      readReceipts = on
      await updateAccount((now) => ({ ...now, readReceipts: on }))
    },
  }
}
