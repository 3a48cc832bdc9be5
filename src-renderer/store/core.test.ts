import { describe, expect, it } from 'vitest'
import { createFakeBridge, type FakeBridge } from '../testing/fake-bridge.ts'
import { pairing } from '../testing/fake-handlers.ts'
import type { FakeOptions } from '../testing/fake-state.ts'
import { me, message, people } from '../testing/fake-people.ts'
import type { Clock } from './context.ts'
import { createCore, type Core } from './core.ts'
import type { Timeline, UiState } from './state.ts'

const start = Date.UTC(2030, 4, 3, 12)
const mei = '!mei:home.example'
const garden = '!garden:home.example'

/** Time that moves only when told. */
function testClock(): Clock & { advance(ms: number): void } {
  let now = start
  let timers: { at: number; run: () => void }[] = []
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run }
      timers.push(timer)
      return () => {
        timers = timers.filter((each) => each !== timer)
      }
    },
    advance(ms) {
      now += ms
      const due = timers.filter((timer) => timer.at <= now)
      timers = timers.filter((timer) => timer.at > now)
      for (const timer of due) timer.run()
    },
  }
}

/** Lets every answer of the fake arrive. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

async function ready(options: FakeOptions = {}): Promise<{
  core: Core
  bridge: FakeBridge
  clock: ReturnType<typeof testClock>
  state: () => UiState
  timeline: (room: string) => Timeline
}> {
  const clock = testClock()
  const bridge = createFakeBridge({ now: clock.now, pace: 0, ...options })
  const core = createCore(bridge, clock)
  await core.session.load()
  await settle()
  const state = core.store.getState
  const timeline = (room: string): Timeline => {
    const found = state().timelines[room]
    if (!found) throw new Error('timeline not loaded')
    return found
  }
  return { core, bridge, clock, state, timeline }
}
const named = (bridge: FakeBridge, name: string): unknown[] =>
  bridge.log.filter((entry) => entry.name === name).map((entry) => entry.input)

describe('ending', () => {
  it('saves what was typed last before it says that it is ready', async () => {
    const { core, bridge } = await ready()
    core.conversation.open(mei)
    await settle()
    core.composers.write(mei, 'half a thou')
    bridge.emit('closing', {})
    expect(bridge.log.slice(-2)).toMatchObject([
      { name: 'draft.set', input: { room: mei, text: 'half a thou' } },
      { name: 'app.readyToClose' },
    ])
  })
})

describe('who is writing', () => {
  it('is shown as it is, and announced once after a silence', async () => {
    const { core, bridge, clock, state } = await ready()
    core.conversation.open(mei)
    await settle()
    const says = (...names: string[]) => bridge.emit('typing', { account: me, room: mei, names })
    const { turn } = state().announcement
    says('Bea')
    expect(state().typing[mei]).toEqual(['Bea'])
    expect(state().announcement).toEqual({ text: 'Bea is writing…', turn: turn + 1 })
    says('Bea', 'Cem')
    says()
    says('Bea')
    expect(state().announcement.turn).toBe(turn + 1)
    says()
    clock.advance(60_000)
    says('Bea', 'Cem')
    expect(state().announcement.text).toBe('Bea and Cem are writing…')
  })

  it('is said of oneself now and then, and when one stops or sends', async () => {
    const { core, bridge, clock } = await ready()
    core.conversation.open(mei)
    await settle()
    const said = () => named(bridge, 'rooms.writing').map((input) => (input as { on: boolean }).on)
    core.conversation.writing(mei, true)
    core.conversation.writing(mei, true)
    expect(said()).toEqual([true])
    clock.advance(5_000)
    core.conversation.writing(mei, true)
    core.composers.write(mei, 'done')
    await core.conversation.send(mei)
    core.conversation.writing(mei, false)
    expect(said()).toEqual([true, true, false])
  })
})

describe('signed out', () => {
  it('because the sign-in ran out, still shows what is there, and keeps what was typed', async () => {
    const { core, bridge, state } = await ready()
    core.conversation.open(mei)
    await settle()
    core.composers.write(mei, 'half a thou')
    const connection = { state: 'signed_out', reason: 'token_expired' } as const
    bridge.changeAccount({ state: 'signed_out', connection })
    expect(state().openRoom).toBe(mei)
    expect(core.composers.get(mei).text).toBe('half a thou')
  })

  it('because this device was removed, shows nothing any more', async () => {
    const { core, bridge, state } = await ready()
    core.conversation.open(mei)
    await settle()
    const connection = { state: 'signed_out', reason: 'device_removed' } as const
    bridge.changeAccount({ state: 'signed_out', connection })
    expect(state()).toMatchObject({ openRoom: null, rooms: {}, timelines: {} })
  })
})

describe('starting', () => {
  it('takes the ready account and loads its rooms', async () => {
    const { state } = await ready()
    expect(state().account).toBe(me)
    expect(state().roomsStatus).toBe('ready')
    expect(Object.keys(state().rooms)).toContain(mei)
  })

  it('says why when main does not answer, and recovers on the next try', async () => {
    const bridge = createFakeBridge()
    bridge.failNext('app.state', 'internal')
    const core = createCore(bridge, testClock())
    await core.session.load()
    expect(core.store.getState().startError).toBe('internal')
    await core.session.load()
    expect(core.store.getState()).toMatchObject({ startError: null, account: me })
  })

  it('ignores events of an account that is not on screen', async () => {
    const { bridge, state } = await ready()
    const before = state().rooms
    bridge.emit('rooms', { account: 'someone else', changed: [], removed: [mei] })
    expect(state().rooms).toBe(before)
  })

  it('forgets what belonged to the account when it signs out', async () => {
    const { core, state } = await ready()
    core.conversation.open(mei)
    await settle()
    expect(await core.session.signOut()).toBe(true)
    expect(state()).toMatchObject({ account: null, rooms: {}, timelines: {}, openRoom: null })
  })
})

describe('locking', () => {
  it('leaves nothing readable in the window, and loads it again once unlocked', async () => {
    const { core, state } = await ready()
    core.conversation.open(mei)
    await settle()
    await core.call('app.lock', {})
    expect(state()).toMatchObject({ rooms: {}, timelines: {}, composers: {}, openRoom: null })
    await core.call('app.unlock', { passphrase: 'open sesame' })
    await settle()
    expect(Object.keys(state().rooms)).toContain(mei)
  })
})

describe('a device that asks to be let in', () => {
  it('is reported when the request came to nothing', async () => {
    const asked = pairing('approver', start)
    const { bridge, state } = await ready({ pairings: [asked] })
    bridge.emit('pairings', { account: me, pairings: [{ ...asked, step: 'expired' }] })
    bridge.emit('pairings', { account: me, pairings: [{ ...asked, step: 'expired' }] })
    expect(state().toasts.map((toast) => toast.text)).toEqual([
      'The request ran out. Sign in again on the new device.',
    ])
  })
})

describe('an open conversation', () => {
  it('watches the room, loads its newest page and marks it read', async () => {
    const { core, bridge, timeline } = await ready()
    core.conversation.open(mei)
    await settle()
    expect(named(bridge, 'timeline.watch')).toEqual([{ account: me, room: mei }])
    expect(timeline(mei).items).toHaveLength(60)
    expect(named(bridge, 'rooms.markRead')).toHaveLength(1)
  })

  it('leaves unread messages unread until their end was seen', async () => {
    const { core, bridge, timeline } = await ready()
    core.conversation.open(garden)
    await settle()
    expect(timeline(garden).unreadFrom).not.toBeNull()
    expect(named(bridge, 'rooms.markRead')).toHaveLength(0)
    core.conversation.setAtEnd(true)
    expect(named(bridge, 'rooms.markRead')).toEqual([{ account: me, room: garden }])
  })

  it('puts older pages before what is there, without gaps or doubles', async () => {
    const { core, bridge, timeline } = await ready()
    core.conversation.open(mei)
    await settle()
    await core.conversation.loadOlder(mei)
    const all = bridge.rooms.get(mei)?.items.map((item) => item.key) ?? []
    expect(timeline(mei).items.map((item) => item.key)).toEqual(all.slice(-120))
  })

  it('loads one older page at a time', async () => {
    const { core, bridge } = await ready()
    core.conversation.open(mei)
    await settle()
    await Promise.all([core.conversation.loadOlder(mei), core.conversation.loadOlder(mei)])
    expect(named(bridge, 'timeline.page')).toHaveLength(2)
  })

  it('announces what others write, not what comes from oneself', async () => {
    const { core, bridge, state } = await ready()
    core.conversation.open(mei)
    await settle()
    bridge.receive(mei, message(people.mei, start, 'Look at that!'))
    expect(state().announcement.text).toContain('Look at that!')
    bridge.receive(mei, message('me', start, 'from my other device'))
    expect(state().announcement.text).not.toContain('other device')
  })

  it('loads a room once its invitation was accepted', async () => {
    const { core, bridge, state } = await ready()
    const invited = '!invite:lab.example'
    core.conversation.open(invited)
    await settle()
    const before = named(bridge, 'timeline.page').length
    expect(await core.rooms.accept(invited)).toBe(true)
    await settle()
    expect(state().rooms[invited]?.membership).toBe('join')
    expect(named(bridge, 'timeline.page')).toHaveLength(before + 1)
  })

  it('changes by what somebody does, never by an answer that comes late', async () => {
    const { core, state } = await ready()
    const invited = '!invite:lab.example'
    core.conversation.open(mei)
    const accepting = core.rooms.accept(invited)
    // At once, so that what is typed next is typed there.
    expect(state().openRoom).toBe(invited)
    expect(state().answering).toEqual([invited])
    core.conversation.open(mei)
    expect(await accepting).toBe(true)
    await settle()
    expect(state().answering).toEqual([])
    expect(state().openRoom).toBe(mei)

    for (const begin of [
      () => core.rooms.startDirect('tove'),
      () =>
        core.rooms.createGroup({
          name: 'Lake',
          topic: '',
          invite: [],
          historyVisibility: 'joined',
        }),
    ]) {
      core.showOverlay({ kind: 'new-conversation' })
      const beginning = begin()
      // The dialog was closed meanwhile, and somebody writes.
      core.showOverlay(null)
      expect((await beginning).ok).toBe(true)
      expect(state().openRoom).toBe(mei)
    }
    core.showOverlay({ kind: 'new-conversation' })
    const begun = await core.rooms.startDirect('arne')
    expect(state().openRoom).toBe(begun.ok ? begun.value.room : null)
  })

  it('is closed when the room is gone', async () => {
    const { core, bridge, state } = await ready()
    core.conversation.open(mei)
    bridge.emit('rooms', { account: me, changed: [], removed: [mei] })
    expect(state().openRoom).toBeNull()
  })
})

describe('writing', () => {
  it('sends trimmed text once and empties the composer', async () => {
    const { core, bridge, state, timeline } = await ready()
    core.conversation.open(mei)
    await settle()
    core.composers.write(mei, '  hello  ')
    await core.conversation.send(mei)
    expect(named(bridge, 'message.send')).toMatchObject([{ text: 'hello', replyTo: null }])
    expect(state().composers[mei]?.text).toBe('')
    expect(timeline(mei).items.at(-1)).toMatchObject({ text: 'hello', delivery: 'queued' })
  })

  it('does not send blanks', async () => {
    const { core, bridge } = await ready()
    core.composers.write(mei, ' \n ')
    await core.conversation.send(mei)
    expect(named(bridge, 'message.send')).toHaveLength(0)
  })

  it('gives the text back when sending fails, before what was typed since', async () => {
    const { core, bridge, state } = await ready()
    bridge.failNext('message.send', 'not_allowed')
    core.composers.write(mei, 'first')
    const sending = core.conversation.send(mei)
    core.composers.write(mei, 'second')
    await sending
    expect(state().composers[mei]?.text).toBe('first\nsecond')
    expect(state().toasts.at(-1)?.tone).toBe('error')
  })

  it('keeps a draft per room and saves it after a pause', async () => {
    const { core, bridge, clock, state } = await ready()
    core.composers.write(mei, 'to Mei')
    core.composers.write(garden, 'to the garden')
    expect(named(bridge, 'draft.set')).toHaveLength(0)
    clock.advance(500)
    expect(named(bridge, 'draft.set')).toHaveLength(2)
    expect(state().composers[mei]?.text).toBe('to Mei')
  })

  it('loads a saved draft but never over what the user typed meanwhile', async () => {
    const { core, state } = await ready()
    const lab = '!lab:lab.example'
    core.conversation.open(lab)
    core.composers.write(lab, 'typed')
    await settle()
    expect(state().composers[lab]?.text).toBe('typed')
  })

  it('edits the last own message and puts the draft back afterwards', async () => {
    const { core, bridge, state } = await ready()
    core.conversation.open(mei)
    await settle()
    core.composers.write(mei, 'half a thought')
    expect(core.conversation.editLastOwn(mei)).toBe(true)
    expect(state().composers[mei]?.text).toBe('See you at eight!')
    core.composers.write(mei, 'See you at nine!')
    await core.conversation.send(mei)
    expect(named(bridge, 'message.edit')).toMatchObject([{ text: 'See you at nine!' }])
    expect(state().composers[mei]).toMatchObject({ text: 'half a thought', editing: null })
  })

  it('never saves the text of an edit as a draft', async () => {
    const { core, bridge, clock } = await ready()
    core.conversation.open(mei)
    await settle()
    core.conversation.editLastOwn(mei)
    core.composers.write(mei, 'changed text')
    clock.advance(500)
    expect(named(bridge, 'draft.set')).toMatchObject([{ text: '' }])
  })

  it('sends no edit when nothing changed', async () => {
    const { core, bridge } = await ready()
    core.conversation.open(mei)
    await settle()
    core.conversation.editLastOwn(mei)
    await core.conversation.send(mei)
    expect(named(bridge, 'message.edit')).toHaveLength(0)
  })
})

describe('leaving a room', () => {
  it('offers undo for as long as main allows it', async () => {
    const { core, clock, state } = await ready()
    core.conversation.open(garden)
    await core.rooms.leave(garden)
    expect(state().openRoom).toBeNull()
    expect(state().toasts).toMatchObject([{ undo: { room: garden, until: start + 8_000 } }])
    clock.advance(8_000)
    expect(state().toasts).toHaveLength(0)
  })

  it('opens the room again when the user stays', async () => {
    const { core, state } = await ready()
    await core.rooms.leave(garden)
    await core.rooms.undoLeave(garden)
    expect(state()).toMatchObject({ openRoom: garden, toasts: [] })
    expect(state().rooms[garden]?.leavingAt).toBeNull()
  })
})

describe('reporting', () => {
  it('shows a brief alert as a toast once and tells main', async () => {
    const { bridge, state } = await ready()
    const alert = {
      id: 'note',
      tier: 4 as const,
      room: null,
      time: start,
      alert: { what: 'toast' as const, text: 'Saved' },
    }
    bridge.emit('alerts', { account: me, alerts: [alert] })
    bridge.emit('alerts', { account: me, alerts: [alert] })
    await settle()
    expect(state().toasts.filter((toast) => toast.text === 'Saved')).toHaveLength(1)
    expect(named(bridge, 'alert.dismiss')).toEqual([{ account: me, id: 'note' }])
  })

  it('takes a setting back when main refuses it', async () => {
    const { core, bridge, state } = await ready()
    bridge.failNext('app.setSettings', 'internal')
    await core.session.changeSettings({ theme: 'dark' })
    expect(state().settings.theme).toBe('system')
  })
})
