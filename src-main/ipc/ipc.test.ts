import { readFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { EngineError, StoreError } from '../../src-shared/client/index.ts'
import {
  callChannel,
  calls,
  eventChannel,
  events,
  ipcErrorSchema,
} from '../../src-shared/ipc/index.ts'
import { AppError } from '../app-error.ts'
import { KeyRingError } from '../vault/key-ring.ts'
import { dispatch, ipcErrorOf } from './dispatch.ts'
import type { Handlers } from './dispatch.ts'
import { EventQueue } from './event-queue.ts'
import type { SentEvent } from './event-queue.ts'
import { isTrustedSender } from './sender.ts'

const quiet = (): void => {}

/** Handlers that fail the test when called, except for those given. */
function handlersWith(given: Partial<Handlers>): Handlers {
  const refuse = Object.fromEntries(
    Object.keys(calls).map((name) => [
      name,
      () => {
        throw new Error(`${name} was called`)
      },
    ]),
  )
  return { ...refuse, ...given } as Handlers
}

describe('dispatching a call', () => {
  it('hands over the parsed input and answers with the value', async () => {
    const copied: unknown[] = []
    const handlers = handlersWith({
      'app.copyText': (input) => {
        copied.push(input)
        return null
      },
    })
    expect(await dispatch(handlers, quiet, 'app.copyText', { text: 'hi', more: 1 })).toEqual({
      ok: true,
      value: null,
    })
    expect(copied).toEqual([{ text: 'hi' }])
  })

  it('refuses names that are not in the contract, inherited ones too', async () => {
    for (const name of ['app.eval', '', 'toString', '__proto__', 'constructor', 7, null, {}]) {
      expect(await dispatch(handlersWith({}), quiet, name, {})).toEqual({
        ok: false,
        error: { code: 'bad_input' },
      })
    }
  })

  it('refuses input of the wrong shape for every call, before any handler runs', async () => {
    for (const [name, { input }] of Object.entries(calls)) {
      const wrong = [null, undefined, 7, 'text', [], { account: 7 }].filter(
        (value) => !input.safeParse(value).success,
      )
      expect(wrong.length).toBeGreaterThan(3)
      for (const value of wrong) {
        expect(await dispatch(handlersWith({}), quiet, name, value)).toEqual({
          ok: false,
          error: { code: 'bad_input' },
        })
      }
    }
  })

  it('refuses text beyond the limits', async () => {
    const text = 'x'.repeat(16_001)
    const input = { account: 'a', room: 'r', text, replyTo: null, clientKey: 'k' }
    expect(await dispatch(handlersWith({}), quiet, 'message.send', input)).toEqual({
      ok: false,
      error: { code: 'bad_input' },
    })
  })

  it('answers errors of all modules by their code, and never by their message', async () => {
    const failing = async (error: unknown) =>
      dispatch(
        handlersWith({
          'app.lock': () => {
            throw error
          },
        }),
        quiet,
        'app.lock',
        {},
      )
    expect(await failing(new EngineError('rate_limited', 1500.4))).toEqual({
      ok: false,
      error: { code: 'rate_limited', retryAfter: 1500 },
    })
    expect(await failing(new KeyRingError('wrong_passphrase'))).toEqual({
      ok: false,
      error: { code: 'wrong_passphrase' },
    })
    expect(await failing(new AppError('locked'))).toEqual({ ok: false, error: { code: 'locked' } })
    for (const error of [
      new Error('secret text'),
      Object.assign(new Error('no'), { code: 'ENOENT' }),
      'thrown text',
      null,
    ]) {
      expect(await failing(error)).toEqual({ ok: false, error: { code: 'internal' } })
    }
    expect(ipcErrorOf(new StoreError('corrupted')).code).toBe('vault_damaged')
    for (const code of ['lost', 'full', 'closed'] as const) {
      expect(ipcErrorSchema.safeParse(ipcErrorOf(new StoreError(code))).success).toBe(true)
    }
  })

  it('lets nothing out that the contract does not name', async () => {
    const handlers = handlersWith({
      'account.invitationLink': () => ({ link: 'eccp:x', token: 'secret' }),
    })
    expect(await dispatch(handlers, quiet, 'account.invitationLink', { account: 'a' })).toEqual({
      ok: true,
      value: { link: 'eccp:x' },
    })
  })

  it('logs an unexpected failure by name, without its message', async () => {
    const log = vi.fn()
    const handlers = handlersWith({
      'app.lock': () => {
        throw new TypeError('secret text')
      },
    })
    await dispatch(handlers, log, 'app.lock', {})
    expect(log).toHaveBeenCalledWith('ipc.failed', { name: 'app.lock', error: 'TypeError' })
  })
})

describe('the sender of a call', () => {
  const origin = 'app://privchat'
  const own = new Set([1])
  const frame = { url: `${origin}/index.html`, origin, parent: null }

  it('is trusted as the top frame of an own window only', () => {
    expect(isTrustedSender({ sender: { id: 1 }, senderFrame: frame }, origin, own)).toBe(true)
    expect(isTrustedSender({ sender: { id: 2 }, senderFrame: frame }, origin, own)).toBe(false)
    const embedded = { ...frame, parent: frame }
    expect(isTrustedSender({ sender: { id: 1 }, senderFrame: embedded }, origin, own)).toBe(false)
    expect(isTrustedSender({ sender: { id: 1 }, senderFrame: null }, origin, own)).toBe(false)
  })

  it('is refused from every other origin', () => {
    for (const [url, its] of [
      ['https://privchat/index.html', 'https://privchat'],
      ['app://vault/index.html', 'app://vault'],
      ['app://privchat.evil/index.html', 'app://privchat.evil'],
      ['app://privchat.evil/index.html', origin],
      ['about:blank', 'null'],
      ['data:text/html,x', 'null'],
    ] as const) {
      const senderFrame = { url, origin: its, parent: null }
      expect(isTrustedSender({ sender: { id: 1 }, senderFrame }, origin, own)).toBe(false)
    }
  })
})

describe('events for the renderer', () => {
  it('leave together and in order', () => {
    const batches: (readonly SentEvent[])[] = []
    const queue = new EventQueue((batch) => batches.push(batch))
    queue.push('details', { account: 'a', room: 'r' })
    queue.push('navigate', { account: 'a', room: 'r' })
    expect(batches).toEqual([])
    queue.flush()
    expect(batches.map((batch) => batch.map(({ name }) => name))).toEqual([['details', 'navigate']])
  })

  it('keep only the last of those that replace each other, account by account', () => {
    const batches: (readonly SentEvent[])[] = []
    const queue = new EventQueue((batch) => batches.push(batch))
    queue.push('alerts', { account: 'a', alerts: [] })
    queue.push('alerts', { account: 'b', alerts: [] })
    queue.push('pairings', { account: 'a', pairings: [] })
    queue.push('alerts', { account: 'a', alerts: [] })
    queue.push('details', { account: 'a', room: 'r' })
    queue.push('details', { account: 'a', room: 'r' })
    queue.flush()
    expect(
      batches[0]?.map(({ name, payload }) => [name, (payload as { account: string }).account]),
    ).toEqual([
      ['alerts', 'b'],
      ['pairings', 'a'],
      ['alerts', 'a'],
      ['details', 'a'],
      ['details', 'a'],
    ])
  })

  it('are checked against the contract', () => {
    const queue = new EventQueue(() => {})
    expect(() => queue.push('navigate', { account: '', room: 'r' })).toThrow()
  })
})

it('preload repeats the channels and all names of the contract', () => {
  const preload = readFileSync(new URL('../preload.ts', import.meta.url), 'utf8')
  for (const name of [...Object.keys(calls), callChannel, eventChannel]) {
    expect(preload).toContain(`'${name}'`)
  }
  for (const name of Object.keys(events))
    expect(preload).toMatch(new RegExp(`['\\s]${name}'?: true`))
})
