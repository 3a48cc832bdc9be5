import { beforeEach, describe, expect, it } from 'vitest'
import { healFork } from '../../protocol/index.ts'
import { bench, crypto, Person } from '../testing/bench.ts'
import type { Bench } from '../testing/bench.ts'
import { Refuse } from '../testing/fake-node.ts'
import { storedAlerts } from '../views/alerts.ts'
import { Contacts } from './contacts.ts'

let on: Bench
let ada: Person
let contacts: Contacts

beforeEach(() => {
  on = bench()
  ada = new Person('ada', on.ctx.random)
  contacts = new Contacts(on.ctx)
  on.node.on('manifest', ({ path }) => ada.answer(path))
})

const refresh = () => contacts.refresh(ada.userId, null)
const devices = async (who = ada) =>
  (await contacts.trustedDevices(on.ctx.db, who.member)).map(({ device }) => device)
const changes = async () =>
  (await storedAlerts(on.ctx.db)).map(({ alert }) =>
    alert.what === 'contact_changed' ? alert.change : alert.what,
  )

describe('knowing people', () => {
  it('pins whoever answers to a user id first, and says nothing about it', async () => {
    expect(await refresh()).toEqual({ ok: true, member: ada.member })
    expect(await devices()).toEqual([ada.device.id])
    expect(await contacts.pinned(on.ctx.db, ada.userId)).toBe(ada.member)
    expect(await changes()).toEqual([])
  })

  it('takes only what is new, and says when devices come and go', async () => {
    await refresh()
    const laptop = ada.add()
    await refresh()
    expect(on.node.asked.at(-1)?.path).toContain('from=0')
    expect((await devices()).length).toBe(2)
    expect(await changes()).toEqual(['device_added'])
    ada.remove(laptop.id)
    await refresh()
    expect(on.node.asked.at(-1)?.path).toContain('from=1')
    expect(await devices()).toEqual([ada.device.id])
    expect(await changes()).toEqual(['device_removed'])
  })

  it('asks once for what is asked for twice at the same time', async () => {
    await Promise.all([refresh(), refresh(), refresh()])
    expect(on.node.count('manifest')).toBe(1)
  })

  it('tells nobody of that name from a server that does not answer, or not now', async () => {
    const answers = [
      ['M_NOT_FOUND', { ok: false, code: 'unknown_user' }],
      ['E_PEER_UNREACHABLE', { ok: false, code: 'unreachable' }],
      ['M_LIMIT_EXCEEDED', { ok: false, code: 'refused' }],
    ] as const
    for (const [errcode, told] of answers) {
      on.node.on('manifest', () => new Refuse(errcode))
      expect(await refresh()).toMatchObject(told)
    }
    // The own node in trouble is another matter: what needed it is tried again.
    on.node.on('manifest', () => new Refuse('M_UNKNOWN'))
    await expect(refresh()).rejects.toMatchObject({ code: 'server_error' })
  })

  it('refuses a chain with a changed entry, and one of another account', async () => {
    const ben = new Person('ben', on.ctx.random)
    on.node.on('manifest', () => ({ ...(ada.answer('') as object), entries: ben.entries }))
    expect(await refresh()).toEqual({ ok: false, code: 'bad_manifest' })
    const [genesis] = structuredClone(ada.entries)
    if (genesis !== undefined) (genesis.entry as Record<string, unknown>)['bot'] = true
    on.node.on('manifest', () => ({ ...(ada.answer('') as object), entries: [genesis] }))
    expect(await refresh()).toEqual({ ok: false, code: 'bad_manifest' })
    expect(await contacts.manifest(on.ctx.db, ada.member)).toBe(null)
  })

  it('is not rolled back: a removed device stays removed', async () => {
    const laptop = ada.add()
    const before = ada.entries
    await refresh()
    ada.remove(laptop.id)
    await refresh()
    on.node.on('manifest', ({ path }) => ada.answer(path, before))
    expect(await refresh()).toEqual({ ok: true, member: ada.member })
    expect(await devices()).toEqual([ada.device.id])
  })

  it('seals only for devices on both branches of a fork, until it is healed', async () => {
    const trunk = ada.entries
    const mine = ada.add()
    await refresh()
    expect(await devices()).toContain(mine.id)
    ada.entries = trunk
    const theirs = ada.add()
    expect(await refresh()).toEqual({ ok: true, member: ada.member })
    expect(await devices()).toEqual([ada.device.id])
    expect(await devices()).not.toContain(theirs.id)
    expect(await changes()).toEqual(['fork'])
  })

  it('takes a branch that the known log has given up for an older log', async () => {
    const trunk = ada.entries
    const theirs = ada.add()
    const givenUp = ada.entries
    const { head } = ada.state
    ada.entries = trunk
    const mine = ada.add()
    ada.entries = [...ada.entries, healFork(crypto, ada.state, ada.device, head, [])]
    await refresh()
    expect(await devices()).toContain(mine.id)
    ada.entries = givenUp
    expect(await refresh()).toEqual({ ok: true, member: ada.member })
    expect(await devices()).toContain(mine.id)
    expect(await devices()).not.toContain(theirs.id)
    expect(await changes()).toEqual([])
    ada.add()
    await refresh()
    expect(await changes()).toEqual(['fork'])
  })

  it('shows another account under a known user id as what it is', async () => {
    await refresh()
    const impostor = new Person('ada', on.ctx.random)
    on.node.on('manifest', ({ path }) => impostor.answer(path))
    expect(await refresh()).toEqual({ ok: true, member: impostor.member })
    expect(await changes()).toEqual(['identity_reset'])
    expect((await contacts.person(on.ctx.db, impostor.member))?.changed).toBe('identity_reset')
    expect(await contacts.manifest(on.ctx.db, ada.member)).not.toBe(null)
    expect(await contacts.refresh(ada.userId, ada.member)).toEqual({
      ok: false,
      code: 'bad_manifest',
    })
  })

  it('forgets the mark once the user has looked', async () => {
    await refresh()
    ada.add()
    await refresh()
    expect((await contacts.person(on.ctx.db, ada.member))?.changed).toBe('device_added')
    await on.ctx.db.step('seen', (step) => contacts.markSeen(step, ada.member))
    expect(await contacts.person(on.ctx.db, ada.member)).toMatchObject({ changed: null })
    expect((await contacts.person(on.ctx.db, ada.member))?.seenDevices.length).toBe(2)
  })

  it('finds what the node has lost of the own log', async () => {
    const [first] = ada.entries
    ada.add()
    await refresh()
    expect(await contacts.missingAtNode(on.ctx.db, ada.member, 0)).toEqual(ada.entries.slice(1))
    expect(first).toBeDefined()
  })
})
