/** Drafts and the composer's modes (writing, replying, editing), one per room. */
import type { Context } from './context.ts'
import { emptyComposer, type Composer, type UiState } from './state.ts'

const saveDelay = 400

export interface Composers {
  get(room: string): Composer
  load(room: string): Promise<void>
  write(room: string, text: string): void
  reply(room: string, envelope: string | null): void
  startEditing(room: string, envelope: string, text: string): void
  stopEditing(room: string): void
  clear(room: string): void
  /** After a failed send: the text comes back, before anything written since. */
  giveBack(room: string, text: string, replyTo: string | null): void
  /** Saves at once what waits to be saved. */
  flush(): void
}

export const composerOf = (state: UiState, room: string): Composer =>
  state.composers[room] ?? emptyComposer

export function createComposers(ctx: Context): Composers {
  const { store } = ctx
  const waiting = new Map<string, { account: string; cancel: () => void }>()

  const get = (room: string): Composer => composerOf(store.getState(), room)

  function save(room: string): void {
    const entry = waiting.get(room)
    if (!entry) return
    entry.cancel()
    waiting.delete(room)
    const { text, replyTo, editing, aside } = get(room)
    void ctx.call('draft.set', {
      account: entry.account,
      room,
      text: editing === null ? text : aside,
      replyTo: editing === null ? replyTo : null,
    })
  }

  function change(room: string, next: Partial<Composer>): void {
    const account = store.getState().account
    if (account === null) return
    store.setState((state) => ({
      composers: { ...state.composers, [room]: { ...composerOf(state, room), ...next } },
    }))
    waiting.get(room)?.cancel()
    waiting.set(room, { account, cancel: ctx.clock.after(saveDelay, () => save(room)) })
  }

  return {
    get,
    async load(room) {
      const { account, composers } = store.getState()
      if (account === null || composers[room]) return
      const result = await ctx.call('draft.get', { account, room })
      // What the user typed in the meantime wins.
      if (!result.ok || store.getState().composers[room]) return
      store.setState((state) => ({
        composers: { ...state.composers, [room]: { ...emptyComposer, ...result.value } },
      }))
    },
    write: (room, text) => change(room, { text }),
    reply: (room, envelope) => {
      const { editing, aside } = get(room)
      change(room, {
        replyTo: envelope,
        editing: null,
        aside: '',
        ...(editing === null ? {} : { text: aside }),
      })
    },
    startEditing(room, envelope, text) {
      const before = get(room)
      const aside = before.editing === null ? before.text : before.aside
      change(room, { editing: envelope, text, aside, replyTo: null })
    },
    stopEditing(room) {
      const { editing, aside } = get(room)
      if (editing !== null) change(room, { editing: null, text: aside, aside: '' })
    },
    clear(room) {
      change(room, emptyComposer)
      save(room)
    },
    giveBack(room, text, replyTo) {
      const now = get(room).text
      change(room, { text: now.trim() === '' ? text : `${text}\n${now}`, replyTo })
    },
    flush() {
      for (const room of [...waiting.keys()]) save(room)
    },
  }
}
