/** Preload of the main window: exposes exactly the `Bridge` of the IPC contract, and that is all. */
import { contextBridge, ipcRenderer } from 'electron'
import type { IpcRendererEvent } from 'electron'
import type * as contract from '../src-shared/ipc/index.ts'
import type {
  Bridge,
  CallInput,
  CallName,
  CallResult,
  EventName,
  EventPayload,
} from '../src-shared/ipc/index.ts'

// The contract's values would bring the schema library along. Its names and channels are repeated here
// instead, and the types make the compiler refuse a list that is not the contract's.
const callChannel: typeof contract.callChannel = 'privchat:call'
const eventChannel: typeof contract.eventChannel = 'privchat:event'

const callNames: Readonly<Record<CallName, true>> = {
  'app.state': true,
  'app.setPassphrase': true,
  'app.unlock': true,
  'app.lock': true,
  'app.checkAgain': true,
  'app.startFreshSessions': true,
  'app.startOver': true,
  'app.settings': true,
  'app.setSettings': true,
  'app.openExternal': true,
  'app.copyText': true,
  'app.openSecondProfile': true,
  'app.readyToClose': true,
  'account.prepare': true,
  'account.checkServer': true,
  'account.create': true,
  'account.signIn': true,
  'account.signOut': true,
  'account.setDisplayName': true,
  'account.devices': true,
  'account.removeDevice': true,
  'account.pairings': true,
  'account.alerts': true,
  'account.answerPairing': true,
  'account.invitationLink': true,
  'account.retryNow': true,
  'rooms.list': true,
  'rooms.details': true,
  'rooms.lookUp': true,
  'rooms.startDirect': true,
  'rooms.createGroup': true,
  'rooms.invite': true,
  'rooms.accept': true,
  'rooms.decline': true,
  'rooms.leave': true,
  'rooms.undoLeave': true,
  'rooms.rename': true,
  'rooms.removeMember': true,
  'rooms.ban': true,
  'rooms.unban': true,
  'rooms.answerKnock': true,
  'rooms.setJoinRule': true,
  'rooms.setRole': true,
  'rooms.link': true,
  'rooms.lookUpRoom': true,
  'rooms.enter': true,
  'rooms.withdrawKnock': true,
  'rooms.forget': true,
  'rooms.writing': true,
  'rooms.markRead': true,
  'rooms.markMemberSeen': true,
  'timeline.page': true,
  'timeline.watch': true,
  'message.send': true,
  'message.edit': true,
  'message.delete': true,
  'message.react': true,
  'message.retry': true,
  'message.cancel': true,
  'draft.get': true,
  'draft.set': true,
  'alert.dismiss': true,
}

const eventNames: Readonly<Record<EventName, true>> = {
  'app.state': true,
  settings: true,
  account: true,
  rooms: true,
  timeline: true,
  details: true,
  typing: true,
  pairings: true,
  alerts: true,
  navigate: true,
  link: true,
  closing: true,
}

type Listener = (payload: unknown) => void
const listeners = new Map<EventName, Set<Listener>>()

ipcRenderer.on(eventChannel, (_event: IpcRendererEvent, batch: unknown) => {
  for (const { name, payload } of batch as { name: EventName; payload: unknown }[]) {
    for (const listener of listeners.get(name) ?? []) listener(payload)
  }
})

const bridge: Bridge = {
  async call<N extends CallName>(name: N, input: CallInput<N>): Promise<CallResult<N>> {
    if (!Object.hasOwn(callNames, name)) return { ok: false, error: { code: 'bad_input' } }
    return (await ipcRenderer.invoke(callChannel, name, input)) as CallResult<N>
  },
  on<N extends EventName>(name: N, listener: (payload: EventPayload<N>) => void): () => void {
    if (!Object.hasOwn(eventNames, name)) return () => {}
    const own: Listener = (payload) => listener(payload as EventPayload<N>)
    const set = listeners.get(name) ?? new Set()
    listeners.set(name, set.add(own))
    return () => set.delete(own)
  },
}

contextBridge.exposeInMainWorld('privchat', bridge)
