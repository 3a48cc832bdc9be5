/**
 * The framework-free core under the interface: one state, fed by the bridge, changed by operations.
 * Knows nothing of React; everything from outside (bridge, clock) arrives as an argument.
 */
import { createStore, type StoreApi } from 'zustand/vanilla'
import type { Bridge } from '../../src-shared/ipc/index.ts'
import type { Alert, Pairing } from '../../src-shared/view-model/index.ts'
import { t } from '../text/t.ts'
import { createComposers, type Composers } from './composer.ts'
import { createContext, systemClock, type Clock, type Context } from './context.ts'
import { createConversation, type Conversation } from './conversation.ts'
import { createRooms, type Rooms } from './rooms.ts'
import { createSession, type Session } from './session.ts'
import { initialState, type Overlay, type UiState } from './state.ts'

export interface Core {
  readonly store: StoreApi<UiState>
  readonly session: Session
  readonly rooms: Rooms
  readonly conversation: Conversation
  readonly composers: Composers
  readonly call: Context['call']
  readonly attempt: Context['attempt']
  readonly fail: Context['fail']
  readonly announce: Context['announce']
  readonly toast: Context['toast']
  readonly dismissToast: Context['dismissToast']
  showOverlay(overlay: Overlay | null): void
  toggleDetails(open?: boolean): void
  filterRooms(text: string): void
  dismissAlert(id: string): void
  copy(text: string, said: string): Promise<void>
  openLink(url: string): void
  stop(): void
}

export function createCore(bridge: Bridge, clock: Clock = systemClock): Core {
  const store = createStore<UiState>(() => initialState)
  const ctx = createContext(bridge, store, clock)
  const composers = createComposers(ctx)
  const conversation = createConversation(ctx, composers)
  const rooms = createRooms(ctx, conversation)
  const session = createSession(ctx, { opened: openAccount, closed: forget })

  /** Drops everything that belonged to the account on screen: nothing readable stays behind. */
  function forget(): void {
    composers.flush()
    ctx.set({
      rooms: {},
      roomsStatus: 'loading',
      roomFilter: '',
      openRoom: null,
      timelines: {},
      details: {},
      typing: {},
      composers: {},
      pairings: [],
      postponed: [],
      alerts: [],
      overlay: null,
    })
  }

  function openAccount(): void {
    forget()
    const { account } = store.getState()
    if (account === null) return
    void rooms.load()
    void ctx.call('account.pairings', { account }).then((result) => {
      if (result.ok && store.getState().account === account) ctx.set({ pairings: result.value })
    })
    void ctx.call('account.alerts', { account }).then((result) => {
      if (result.ok && store.getState().account === account) takeAlerts(result.value)
    })
  }

  function takeAlerts(alerts: readonly Alert[]): void {
    const known = new Set(store.getState().alerts.map((alert) => alert.id))
    ctx.set({ alerts })
    for (const { id, tier, alert } of alerts) {
      if (tier !== 4 || alert.what !== 'toast' || known.has(id)) continue
      ctx.toast(alert.text)
      const { account } = store.getState()
      if (account !== null) void ctx.call('alert.dismiss', { account, id })
    }
  }

  /** A request that came to nothing while the user was looking at it is told, not just gone. */
  function takePairings(pairings: readonly Pairing[]): void {
    const before = store.getState().pairings
    ctx.set({ pairings })
    for (const { device, side, step } of pairings) {
      if (side !== 'approver' || (step !== 'expired' && step !== 'failed')) continue
      if (before.some((each) => each.device === device && each.step !== step)) {
        ctx.toast(t(`pairing.${step}`), { tone: 'error' })
      }
    }
  }

  /** Events of accounts that are not on screen are main's business alone. */
  const shown = (account: string): boolean => account === store.getState().account

  const unsubscribe = [
    bridge.on('app.state', (app) => session.applyApp(app)),
    bridge.on('settings', (settings) => ctx.set({ settings })),
    bridge.on('account', (view) => session.accountChanged(view)),
    bridge.on('rooms', ({ account, changed, removed }) => {
      if (shown(account)) rooms.changed(changed, removed)
    }),
    bridge.on('timeline', (payload) => {
      if (shown(payload.account)) conversation.pushed(payload)
    }),
    bridge.on('details', ({ account, room }) => {
      if (shown(account)) conversation.detailsChanged(room)
    }),
    bridge.on('typing', ({ account, room, names }) => {
      if (shown(account)) conversation.typing(room, names)
    }),
    bridge.on('pairings', ({ account, pairings }) => {
      if (shown(account)) takePairings(pairings)
    }),
    bridge.on('alerts', ({ account, alerts }) => {
      if (shown(account)) takeAlerts(alerts)
    }),
    bridge.on('navigate', ({ account, room }) => {
      session.show(account)
      conversation.open(room)
    }),
    bridge.on('link', ({ link }) => ctx.set({ overlay: { kind: 'new-conversation', who: link } })),
    bridge.on('closing', () => {
      composers.flush()
      void ctx.call('app.readyToClose', {})
    }),
  ]

  return {
    store,
    session,
    rooms,
    conversation,
    composers,
    call: ctx.call,
    attempt: ctx.attempt,
    fail: ctx.fail,
    announce: ctx.announce,
    toast: ctx.toast,
    dismissToast: ctx.dismissToast,
    showOverlay: (overlay) => ctx.set({ overlay }),
    toggleDetails: (open) => ctx.set({ detailsOpen: open ?? !store.getState().detailsOpen }),
    filterRooms: (roomFilter) => ctx.set({ roomFilter }),
    dismissAlert(id) {
      const { account, alerts } = store.getState()
      ctx.set({ alerts: alerts.filter((alert) => alert.id !== id) })
      if (account !== null) void ctx.call('alert.dismiss', { account, id })
    },
    async copy(text, said) {
      if (await ctx.attempt('app.copyText', { text })) ctx.toast(said)
    },
    openLink(url) {
      if (store.getState().settings.confirmLinks) ctx.set({ overlay: { kind: 'open-link', url } })
      else void ctx.attempt('app.openExternal', { url })
    },
    stop() {
      composers.flush()
      for (const off of unsubscribe) off()
    },
  }
}
