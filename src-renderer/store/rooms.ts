/** The list of rooms: loading, order, search, and what one can do to a room from outside it. */
import type { CallOutput, CallResult } from '../../src-shared/ipc/index.ts'
import type { JoinRule, Role, RoomSummary } from '../../src-shared/view-model/index.ts'
import { t } from '../text/t.ts'
import type { Context } from './context.ts'
import type { UiState } from './state.ts'

const fold = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{Mn}/gu, '')
    .toLocaleLowerCase()

/** True when every word of `query` occurs in one of the texts, whatever case or accents. */
export function matches(query: string, ...texts: readonly string[]): boolean {
  const haystack = fold(texts.join('\n'))
  return fold(query)
    .split(/\s+/)
    .every((word) => haystack.includes(word))
}

const newestFirst = (a: RoomSummary, b: RoomSummary): number =>
  b.lastActivity - a.lastActivity || a.name.localeCompare(b.name)

/** Invitations first, then all other rooms by latest activity; both filtered by the search text. */
export function arrangeRooms(
  rooms: UiState['rooms'],
  filter: string,
): { invitations: RoomSummary[]; joined: RoomSummary[] } {
  const query = filter.trim()
  const shown = Object.values(rooms)
    .filter((room) => room.membership !== 'leave' || Boolean(room.ended))
    .filter(
      (room) =>
        query === '' ||
        matches(query, room.name, room.preview?.text ?? '', room.inviter?.userId ?? ''),
    )
    .sort(newestFirst)
  return {
    invitations: shown.filter((room) => room.membership === 'invite'),
    joined: shown.filter((room) => room.membership !== 'invite'),
  }
}

/** The room one step up or down from the open one, in list order; wraps round. */
export function neighbourRoom(state: UiState, step: 1 | -1): string | null {
  const { invitations, joined } = arrangeRooms(state.rooms, state.roomFilter)
  const order = [...invitations, ...joined].map((room) => room.id)
  if (order.length === 0) return null
  const at = state.openRoom === null ? -1 : order.indexOf(state.openRoom)
  if (at < 0) return (step === 1 ? order[0] : order[order.length - 1]) ?? null
  return order[(at + step + order.length) % order.length] ?? null
}

export interface Rooms {
  load(): Promise<void>
  changed(changed: readonly RoomSummary[], removed: readonly string[]): void
  accept(room: string): Promise<boolean>
  decline(room: string): Promise<boolean>
  leave(room: string): Promise<void>
  undoLeave(room: string): Promise<void>
  lookUp(who: string): Promise<CallResult<'rooms.lookUp'>>
  startDirect(who: string): Promise<CallResult<'rooms.startDirect'>>
  createGroup(input: GroupInput): Promise<CallResult<'rooms.createGroup'>>
  invite(room: string, who: string): Promise<CallResult<'rooms.invite'>>
  rename(room: string, name: string): Promise<CallResult<'rooms.rename'>>
  removeMember(room: string, member: string, reason: string): Promise<boolean>
  ban(room: string, member: string, reason: string): Promise<boolean>
  unban(room: string, member: string, name: string): Promise<void>
  answerKnock(room: string, member: string, letIn: boolean): Promise<boolean>
  setJoinRule(room: string, rule: JoinRule): Promise<CallResult<'rooms.setJoinRule'>>
  setRole(room: string, member: string, role: Role): Promise<CallResult<'rooms.setRole'>>
  copyLink(room: string): Promise<void>
  lookUpRoom(link: string): Promise<CallResult<'rooms.lookUpRoom'>>
  enter(link: string): Promise<CallResult<'rooms.enter'>>
  withdrawKnock(room: string): Promise<boolean>
  forget(room: string): Promise<boolean>
  memberSeen(room: string, member: string): Promise<boolean>
}

export interface GroupInput {
  name: string
  topic: string
  invite: string[]
  historyVisibility: 'invited' | 'joined' | 'shared'
}
export type FoundPerson = CallOutput<'rooms.lookUp'>
export type FoundRoom = CallOutput<'rooms.lookUpRoom'>

export interface RoomPlace {
  open(room: string | null): void
  /** Loads the open room anew: what it holds is no longer what was loaded. */
  reopen(room: string): void
}

export function createRooms(ctx: Context, { open, reopen }: RoomPlace): Rooms {
  const { store } = ctx
  const account = (): string => store.getState().account ?? ''

  /** While it is under way nobody asks for it twice. */
  async function answering(room: string, work: () => Promise<boolean>): Promise<boolean> {
    ctx.set({ answering: [...store.getState().answering, room] })
    const done = await work()
    ctx.set({ answering: store.getState().answering.filter((other) => other !== room) })
    return done
  }

  const answer = (call: 'rooms.accept' | 'rooms.decline', room: string): Promise<boolean> =>
    answering(room, () => ctx.attempt(call, { account: account(), room }))

  /** Shows what was asked for, unless whoever asked has gone elsewhere while the server took its time. */
  function whenStillHere(): (room: string) => void {
    const { openRoom, overlay } = store.getState()
    return (room) => {
      const now = store.getState()
      if (now.openRoom === openRoom && now.overlay === overlay) open(room)
    }
  }

  return {
    async load() {
      const asked = account()
      const result = await ctx.call('rooms.list', { account: asked })
      if (asked !== account()) return
      if (!result.ok) {
        ctx.set({ roomsStatus: 'failed' })
        return
      }
      ctx.set({
        rooms: Object.fromEntries(result.value.map((room) => [room.id, room])),
        roomsStatus: 'ready',
      })
    },
    changed(changed, removed) {
      const before = store.getState().rooms
      const rooms = { ...before }
      for (const room of changed) rooms[room.id] = room
      for (const id of removed) delete rooms[id]
      ctx.set({ rooms })
      const { openRoom } = store.getState()
      if (openRoom === null) return
      const joined = rooms[openRoom]?.membership === 'join'
      if (removed.includes(openRoom)) open(null)
      // An invitation shows nothing of the room; once accepted, there is something to load.
      else if (joined && before[openRoom]?.membership !== 'join') reopen(openRoom)
    },
    accept(room) {
      // At once: a view that changes when the server answers changes under somebody's fingers.
      open(room)
      return answer('rooms.accept', room)
    },
    async decline(room) {
      const done = await answer('rooms.decline', room)
      if (done && store.getState().openRoom === room) open(null)
      return done
    },
    async leave(room) {
      const name = store.getState().rooms[room]?.name ?? ''
      const result = await ctx.call('rooms.leave', { account: account(), room })
      if (!result.ok) {
        ctx.fail(result.error)
        return
      }
      if (store.getState().openRoom === room) open(null)
      ctx.toast(t('leave.toast', { room: name }), {
        undo: { room, until: result.value.leavingAt },
      })
    },
    async undoLeave(room) {
      const show = whenStillHere()
      const done = await ctx.attempt('rooms.undoLeave', { account: account(), room })
      if (!done) return
      const toasts = store.getState().toasts.filter((toast) => toast.undo?.room !== room)
      ctx.set({ toasts })
      ctx.announce(t('leave.undone'))
      show(room)
    },
    lookUp: (who) => ctx.call('rooms.lookUp', { account: account(), who }),
    async startDirect(who) {
      const show = whenStillHere()
      const result = await ctx.call('rooms.startDirect', { account: account(), who })
      if (result.ok) show(result.value.room)
      return result
    },
    async createGroup(input) {
      const show = whenStillHere()
      const result = await ctx.call('rooms.createGroup', { account: account(), ...input })
      if (result.ok) show(result.value.room)
      return result
    },
    invite: (room, who) => ctx.call('rooms.invite', { account: account(), room, who }),
    rename: (room, name) => ctx.call('rooms.rename', { account: account(), room, name }),
    removeMember: (room, member, reason) =>
      ctx.attempt('rooms.removeMember', { account: account(), room, member, reason }),
    ban: (room, member, reason) =>
      ctx.attempt('rooms.ban', { account: account(), room, member, reason }),
    async unban(room, member, name) {
      const done = await ctx.attempt('rooms.unban', { account: account(), room, member })
      if (done) ctx.toast(t('member.unban.done', { name }))
    },
    answerKnock: (room, member, letIn) =>
      answering(room, () =>
        ctx.attempt('rooms.answerKnock', { account: account(), room, member, letIn }),
      ),
    setJoinRule: (room, rule) => ctx.call('rooms.setJoinRule', { account: account(), room, rule }),
    setRole: (room, member, role) =>
      ctx.call('rooms.setRole', { account: account(), room, member, role }),
    async copyLink(room) {
      const result = await ctx.call('rooms.link', { account: account(), room })
      if (!result.ok) {
        ctx.fail(result.error)
        return
      }
      const copied = await ctx.attempt('app.copyText', { text: result.value.link })
      if (copied) ctx.toast(t('access.linkCopied'))
    },
    lookUpRoom: (link) => ctx.call('rooms.lookUpRoom', { account: account(), link }),
    async enter(link) {
      const show = whenStillHere()
      const result = await ctx.call('rooms.enter', { account: account(), link })
      if (result.ok) show(result.value.room)
      return result
    },
    withdrawKnock: (room) =>
      answering(room, () => ctx.attempt('rooms.withdrawKnock', { account: account(), room })),
    forget: (room) => ctx.attempt('rooms.forget', { account: account(), room }),
    memberSeen: (room, member) =>
      ctx.attempt('rooms.markMemberSeen', { account: account(), room, member }),
  }
}
