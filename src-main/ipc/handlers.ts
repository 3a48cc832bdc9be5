/** Which part answers which call. Rooms, messages and devices are the engine's; the rest is the app's. */
import type { Accounts } from '../accounts/accounts.ts'
import type { Engine } from '../engine-port.ts'
import type { Handlers } from './dispatch.ts'

type AppCalls = Pick<
  Handlers,
  Extract<
    keyof Handlers,
    | `app.${string}`
    | 'account.prepare'
    | 'account.checkServer'
    | 'account.create'
    | 'account.signIn'
    | 'account.signOut'
    | 'timeline.watch'
  >
>

/** `accounts` throws while the app is locked. */
export function createHandlers(app: AppCalls, accounts: () => Accounts): Handlers {
  const engine = (input: { account: string }): Engine => accounts().host(input.account).engine
  const quiet = async (work: unknown): Promise<null> => {
    await work
    return null
  }

  return {
    ...app,
    'account.setDisplayName': (i) => quiet(engine(i).setDisplayName(i.displayName)),
    'account.devices': (i) => engine(i).devices(),
    'account.removeDevice': (i) => quiet(engine(i).removeDevice(i.device)),
    'account.pairings': (i) => [...engine(i).pairings()],
    'account.alerts': (i) => accounts().host(i.account).alerts(),
    'account.answerPairing': (i) => quiet(engine(i).answerPairing(i.device, i.same)),
    'account.invitationLink': (i) => ({ link: engine(i).invitationLink() }),
    'account.retryNow': (i) => quiet(engine(i).retryNow()),

    'rooms.list': (i) => [...engine(i).roomList()],
    'rooms.details': (i) => engine(i).details(i.room),
    'rooms.lookUp': (i) => engine(i).lookUp(i.who),
    'rooms.startDirect': (i) => engine(i).startDirect(i.who),
    'rooms.createGroup': ({ account, ...i }) => engine({ account }).createGroup(i),
    'rooms.invite': (i) => quiet(engine(i).invite(i.room, i.who)),
    'rooms.accept': (i) => quiet(engine(i).accept(i.room)),
    'rooms.decline': (i) => quiet(engine(i).decline(i.room)),
    'rooms.leave': (i) => engine(i).leave(i.room),
    'rooms.undoLeave': (i) => quiet(engine(i).undoLeave(i.room)),
    'rooms.rename': (i) => quiet(engine(i).rename(i.room, i.name)),
    'rooms.removeMember': (i) => quiet(engine(i).removeMember(i.room, i.member, i.reason)),
    'rooms.ban': (i) => quiet(engine(i).ban(i.room, i.member, i.reason)),
    'rooms.unban': (i) => quiet(engine(i).unban(i.room, i.member)),
    'rooms.answerKnock': (i) => quiet(engine(i).answerKnock(i.room, i.member, i.letIn)),
    'rooms.setJoinRule': (i) => quiet(engine(i).setJoinRule(i.room, i.rule)),
    'rooms.setRole': (i) => quiet(engine(i).setRole(i.room, i.member, i.role)),
    'rooms.link': async (i) => ({ link: await engine(i).roomLink(i.room) }),
    'rooms.lookUpRoom': (i) => engine(i).lookUpRoom(i.link),
    'rooms.enter': (i) => engine(i).enter(i.link),
    'rooms.withdrawKnock': (i) => quiet(engine(i).withdrawKnock(i.room)),
    'rooms.forget': (i) => quiet(engine(i).forget(i.room)),
    'rooms.writing': (i) => quiet(engine(i).writing(i.room, i.on)),
    'rooms.markRead': (i) => quiet(engine(i).markRead(i.room)),
    'rooms.markMemberSeen': (i) => engine(i).markMemberSeen(i.room, i.member),

    'timeline.page': (i) => engine(i).page(i.room, i.before, i.limit),

    'message.send': ({ account, room, ...i }) => engine({ account }).send(room, i),
    'message.edit': (i) => quiet(engine(i).edit(i.room, i.envelope, i.text)),
    'message.delete': (i) => quiet(engine(i).delete(i.room, i.envelope)),
    'message.react': (i) => quiet(engine(i).react(i.room, i.envelope, i.emoji, i.on)),
    'message.retry': (i) => quiet(engine(i).retry(i.room, i.key)),
    'message.cancel': (i) => quiet(engine(i).cancel(i.room, i.key)),
    'draft.get': (i) => engine(i).draft(i.room),
    'draft.set': (i) => quiet(engine(i).setDraft(i.room, i.text, i.replyTo)),
    'alert.dismiss': (i) => quiet(accounts().host(i.account).dismissAlert(i.id)),
  }
}
