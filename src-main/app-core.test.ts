import {
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EngineError } from '../src-shared/client/index.ts'
import { AppBench, SESSION } from './testing/app-bench.ts'
import { readDisk, writeDisk } from './vault/testing/disk.ts'

const passphrase = 'correct horse battery'
let bench: AppBench
beforeEach(() => {
  bench = new AppBench()
})
afterEach(() => bench.close())

const stage = () => bench.core.state.stage
const problem = () => bench.core.state.problem
const setPassphrase = () => bench.codeOf('app.setPassphrase', { passphrase, current: null })
const onlyDisk = () => {
  const [disk] = bench.disks.values()
  if (disk === undefined) throw new Error('there is no disk')
  return disk
}

describe('a first start', () => {
  it('asks for a passphrase where there is no keychain, before there is anything to lose', async () => {
    await bench.core.start()
    expect(stage()).toBe('needs_passphrase')
    expect(await bench.codeOf('account.prepare', {})).toBe('locked')
    expect(readdirSync(bench.folder)).toEqual([])
    expect(await setPassphrase()).toBe(null)
    expect(stage()).toBe('onboarding')
    expect(await bench.createAccount()).toBe(null)
    expect(stage()).toBe('ready')
  })

  it('asks for nothing where there is a keychain', async () => {
    bench.keychain = 'available'
    await bench.core.start()
    expect(stage()).toBe('onboarding')
    expect(await bench.createAccount()).toBe(null)
    await bench.restart()
    expect(stage()).toBe('ready')
    expect(bench.core.state.accounts.map(({ userId }) => userId)).toEqual(['@ada:example.org'])
  })

  it('refuses words that are not the ones shown', async () => {
    bench.keychain = 'available'
    await bench.core.start()
    const prepared = await bench.call('account.prepare', {})
    if (!prepared.ok) throw new Error('not prepared')
    const { ticket } = prepared.value as { ticket: string }
    const input = {
      ticket,
      server: null,
      name: 'ada',
      password: 'password',
      displayName: 'Ada',
      registrationToken: null,
    }
    const wrong = ['word3', 'word20', 'word7']
    expect(await bench.codeOf('account.create', { ...input, confirmation: wrong })).toBe(
      'wrong_words',
    )
    const right = [' Word3', 'word7 ', 'WORD20']
    expect(
      await bench.codeOf('account.create', { ...input, ticket: 'other', confirmation: right }),
    ).toBe('bad_input')
    expect(await bench.codeOf('account.create', { ...input, confirmation: right })).toBe(null)
  })
})

describe('an account that could not be made', () => {
  beforeEach(async () => {
    bench.keychain = 'available'
    await bench.core.start()
  })

  it('leaves nothing behind where it was refused', async () => {
    bench.failNext = new EngineError('name_taken')
    expect(await bench.createAccount()).toBe('name_taken')
    expect(stage()).toBe('onboarding')
    expect(await readDisk(onlyDisk()).catch(() => [])).toEqual([])
    expect(await bench.createAccount('other')).toBe(null)
    await bench.restart()
    expect(bench.core.state.accounts).toHaveLength(1)
  })

  it('goes on with the same keys where the outcome stayed open', async () => {
    const prepared = await bench.call('account.prepare', {})
    if (!prepared.ok) throw new Error('not prepared')
    const { ticket } = prepared.value as { ticket: string }
    const input = {
      ticket,
      server: null,
      name: 'ada',
      password: 'password',
      displayName: 'Ada',
      registrationToken: null,
      confirmation: ['word3', 'word7', 'word20'],
    }
    bench.failNext = new EngineError('timeout')
    expect(await bench.codeOf('account.create', input)).toBe('timeout')
    expect(await bench.codeOf('account.create', input)).toBe(null)
    expect(bench.disks.size).toBe(1)
  })
})

describe('locked', () => {
  beforeEach(async () => {
    await bench.core.start()
    await setPassphrase()
    await bench.createAccount()
  })

  it('opens by the right passphrase only', async () => {
    await bench.restart()
    expect(stage()).toBe('locked')
    expect(bench.core.state.accounts).toEqual([])
    expect(await bench.codeOf('app.unlock', { passphrase: 'wrong horse battery' })).toBe(
      'wrong_passphrase',
    )
    expect(stage()).toBe('locked')
    expect(await bench.codeOf('app.unlock', { passphrase })).toBe(null)
    expect(stage()).toBe('ready')
    expect(await bench.codeOf('app.unlock', { passphrase })).toBe('not_allowed')
  })

  it('has a way out for who forgot the passphrase, and keeps everything for who remembers it', async () => {
    await bench.restart()
    expect(await bench.codeOf('app.startOver', {})).toBe(null)
    expect(stage()).toBe('needs_passphrase')
    await bench.core.stop()
    const [stamp] = readdirSync(join(bench.folder, 'set-aside'))
    const kept = join(bench.folder, 'set-aside', stamp ?? '')
    for (const name of readdirSync(kept)) {
      rmSync(join(bench.folder, name), { recursive: true, force: true })
      cpSync(join(kept, name), join(bench.folder, name), { recursive: true })
    }
    await bench.restart()
    expect(stage()).toBe('locked')
    expect(await bench.codeOf('app.unlock', { passphrase })).toBe(null)
    expect(stage()).toBe('ready')
    expect(bench.core.state.accounts).toHaveLength(1)
    expect(await bench.codeOf('app.startOver', {})).toBe('not_allowed')
  })

  it('answers nothing about accounts, and stops their engines', async () => {
    const { account } = bench.lastEngine
    expect(await bench.codeOf('app.lock', {})).toBe(null)
    expect(bench.lastEngine.stopped).toBe(true)
    for (const name of ['rooms.list', 'account.devices', 'account.signOut'] as const) {
      expect(await bench.codeOf(name, { account })).toBe('locked')
    }
    expect(await bench.codeOf('account.prepare', {})).toBe('locked')
  })

  it('takes a new passphrase only with the current one', async () => {
    const next = 'another horse battery'
    expect(await bench.codeOf('app.setPassphrase', { passphrase: next, current: null })).toBe(
      'wrong_passphrase',
    )
    expect(await bench.codeOf('app.setPassphrase', { passphrase: next, current: passphrase })).toBe(
      null,
    )
    await bench.restart()
    expect(await bench.codeOf('app.unlock', { passphrase })).toBe('wrong_passphrase')
    expect(await bench.codeOf('app.unlock', { passphrase: next })).toBe(null)
  })
})

describe('a vault that cannot be opened as usual', () => {
  beforeEach(async () => {
    bench.keychain = 'available'
    await bench.core.start()
    await bench.createAccount()
  })

  it('is not touched while the keychain cannot be read, and opens when it can', async () => {
    const before = await readDisk(onlyDisk())
    bench.keychain = 'unreadable'
    await bench.restart()
    expect(stage()).toBe('vault_problem')
    expect(problem()).toEqual({
      what: 'keychain_locked',
      canUsePassphrase: false,
      canStartFreshSessions: false,
      canStartOver: false,
    })
    expect(bench.core.state.keychain).toBe('unreadable')
    expect(await bench.codeOf('app.unlock', { passphrase })).toBe('not_allowed')
    expect(await bench.codeOf('app.setPassphrase', { passphrase, current: null })).toBe('locked')
    expect(await bench.codeOf('app.startFreshSessions', {})).toBe('locked')
    expect(await bench.codeOf('app.startOver', {})).toBe('not_allowed')
    expect(await bench.createAccount()).toBe('locked')
    expect(await readDisk(onlyDisk())).toEqual(before)
    bench.keychain = 'available'
    expect(await bench.codeOf('app.checkAgain', {})).toBe(null)
    expect(stage()).toBe('ready')
  })

  it('opens by the passphrase while the keychain cannot be read', async () => {
    await setPassphrase()
    bench.keychain = 'unreadable'
    await bench.restart()
    expect(problem()).toMatchObject({ what: 'keychain_locked', canUsePassphrase: true })
    expect(await bench.codeOf('app.unlock', { passphrase })).toBe(null)
    expect(stage()).toBe('ready')
  })

  it('is never replaced by an empty one where its key is gone', async () => {
    rmSync(join(bench.folder, 'vault-key.json'))
    await bench.restart()
    expect(stage()).toBe('vault_problem')
    expect(problem()).toMatchObject({ what: 'key_missing', canStartOver: true })
    expect(readdirSync(bench.folder)).not.toContain('vault-key.json')
  })

  it('is told of where the disk does not give the key, and opens when it does', async () => {
    const path = join(bench.folder, 'vault-key.json')
    renameSync(path, `${path}.kept`)
    // What can't be read as a file, as a sector that failed.
    mkdirSync(path)
    await bench.restart()
    expect(problem()).toMatchObject({ what: 'key_missing', canUsePassphrase: false })
    rmdirSync(path)
    renameSync(`${path}.kept`, path)
    expect(await bench.codeOf('app.checkAgain', {})).toBe(null)
    expect(stage()).toBe('ready')
  })

  it('is not buried under a new list of accounts where the list is gone', async () => {
    const path = join(bench.folder, 'accounts.sealed')
    renameSync(path, `${path}.kept`)
    await bench.restart()
    expect(stage()).toBe('vault_problem')
    expect(problem()).toMatchObject({ what: 'record_corrupted', canStartOver: true })
    expect(await bench.createAccount('other')).toBe('locked')
    expect(readdirSync(bench.folder)).not.toContain('accounts.sealed')
    renameSync(`${path}.kept`, path)
    expect(await bench.codeOf('app.checkAgain', {})).toBe(null)
    expect(stage()).toBe('ready')
  })

  it('is reported where the list of accounts is damaged', async () => {
    const path = join(bench.folder, 'accounts.sealed')
    const damaged = readFileSync(path)
    damaged[50] = (damaged[50] ?? 0) ^ 1
    writeFileSync(path, damaged)
    await bench.restart()
    expect(problem()?.what).toBe('record_corrupted')
    expect(readFileSync(path)).toEqual(damaged)
  })

  it('offers fresh sessions where it was rolled back, and says afterwards what it did', async () => {
    const old = await readDisk(onlyDisk())
    await bench.lastEngine.ports.store.commit({ id: 'newer', puts: [], deletes: [] })
    await bench.core.stop()
    await writeDisk(onlyDisk(), old, 'clear')
    await bench.restart()
    expect(stage()).toBe('vault_problem')
    expect(problem()).toEqual({
      what: 'rolled_back',
      canUsePassphrase: false,
      canStartFreshSessions: true,
      canStartOver: false,
    })
    expect(await bench.codeOf('app.startFreshSessions', {})).toBe(null)
    expect(stage()).toBe('ready')
    expect(await bench.lastEngine.ports.store.read([SESSION])).toEqual([null])
    const alerts = bench.emitted.findLast(({ name }) => name === 'alerts')
    expect(JSON.stringify(alerts?.payload)).toContain('vault_rolled_back')
    await bench.restart()
    expect(stage()).toBe('ready')
  })

  it('says that it is missing where its records are gone', async () => {
    await bench.core.stop()
    await writeDisk(onlyDisk(), [], 'clear')
    await bench.restart()
    expect(problem()).toMatchObject({ what: 'vault_missing', canStartFreshSessions: false })
    await bench.codeOf('app.checkAgain', {})
    expect(problem()).toMatchObject({ what: 'vault_missing', canStartFreshSessions: false })
    expect(await bench.codeOf('app.startFreshSessions', {})).toBe('not_allowed')
  })

  describe('and never will be', () => {
    /** What was put aside, by its path below the one folder of that hour. */
    const aside = (): string[] => {
      const folder = join(bench.folder, 'set-aside')
      const [stamp] = readdirSync(folder)
      return readdirSync(join(folder, stamp ?? ''), { recursive: true })
        .map(String)
        .sort()
    }

    it('makes room for a new beginning where its records are gone, and keeps the rest', async () => {
      expect(await bench.createAccount('second')).toBe(null)
      const [first] = bench.disks.entries()
      if (first === undefined) throw new Error('there is no disk')
      const [slot, disk] = first
      await bench.core.stop()
      await writeDisk(disk, [], 'clear')
      await bench.restart()
      expect(problem()).toMatchObject({ what: 'vault_missing', canStartOver: true })
      expect(await bench.codeOf('app.startOver', {})).toBe(null)
      expect(stage()).toBe('ready')
      expect(bench.core.state.accounts.map(({ displayName }) => displayName)).toEqual(['second'])
      expect(aside()).toEqual([`${slot}.mirror`, 'accounts.sealed'].sort())
      await bench.restart()
      expect(stage()).toBe('ready')
      expect(await bench.codeOf('app.startOver', {})).toBe('not_allowed')
    })

    it('makes room for a new key where its own is gone; everything else is put aside', async () => {
      const before = readFileSync(join(bench.folder, 'accounts.sealed'))
      rmSync(join(bench.folder, 'vault-key.json'))
      await bench.restart()
      expect(await bench.codeOf('app.startOver', {})).toBe(null)
      expect(stage()).toBe('onboarding')
      expect(aside()).toEqual([
        'accounts.sealed',
        'vaults',
        `vaults/${String([...bench.disks.keys()][0])}.mirror`,
      ])
      const [stamp] = readdirSync(join(bench.folder, 'set-aside'))
      const kept = join(bench.folder, 'set-aside', stamp ?? '', 'accounts.sealed')
      expect(readFileSync(kept)).toEqual(before)
      expect(await readDisk(onlyDisk())).not.toEqual([])
      expect(await bench.createAccount()).toBe(null)
      await bench.restart()
      expect(stage()).toBe('ready')
    })

    it('keeps the key where only the list of accounts is damaged', async () => {
      await setPassphrase()
      writeFileSync(join(bench.folder, 'accounts.sealed'), '')
      await bench.restart()
      expect(await bench.codeOf('app.startOver', {})).toBe(null)
      expect(stage()).toBe('onboarding')
      expect(aside()).not.toContain('vault-key.json')
      expect(await bench.codeOf('app.lock', {})).toBe(null)
      expect(await bench.codeOf('app.unlock', { passphrase })).toBe(null)
    })
  })

  it('stops the account where a session record is damaged, and goes on with fresh ones', async () => {
    const engine = bench.lastEngine
    const before = await readDisk(onlyDisk())
    await engine.ports.store.commit({
      id: 'more',
      puts: [{ ...SESSION, value: new Uint8Array(3) }],
      deletes: [],
    })
    const after = await readDisk(onlyDisk())
    const stale = before.filter(({ k, v }) => {
      const now = after.find((row) => row.k === k)
      return now !== undefined && Buffer.compare(now.v, v) !== 0 && v.length < 600
    })
    expect(stale.length).toBeGreaterThan(0)
    await writeDisk(onlyDisk(), stale, 'keep')
    await expect(engine.ports.store.read([SESSION])).rejects.toThrow('corrupted')
    expect(stage()).toBe('vault_problem')
    expect(problem()).toMatchObject({ what: 'record_corrupted', canStartFreshSessions: true })
    expect(engine.stopped).toBe(true)
  })
})

describe('a running account', () => {
  beforeEach(async () => {
    bench.keychain = 'available'
    await bench.core.start()
    await bench.createAccount()
  })
  const notify = () =>
    bench.lastEngine.tell({
      kind: 'notify',
      room: '!r',
      roomName: 'Climbing',
      sender: 'Bob',
      text: 'hello',
      mention: false,
    })

  it('shows others of the user what the settings say, from the moment it is made', async () => {
    expect(bench.engines.at(-1)?.shows).toEqual({ receipts: true, typing: true })
    await bench.call('app.setSettings', { sendReadReceipts: false })
    expect(bench.engines.at(-1)?.shows).toEqual({ receipts: false, typing: true })
    await bench.restart()
    await bench.call('app.setSettings', { sendTyping: false })
    expect(bench.engines.at(-1)?.shows).toEqual({ receipts: false, typing: false })
  })

  it('lives on the personal node where no other was named', () => {
    expect(bench.core.state.accounts[0]?.personalNode).toBe(true)
  })

  it('notifies as the user wants, but not of what is on the screen', async () => {
    const { account } = bench.lastEngine
    notify()
    expect(bench.notifications.map(({ content }) => content.body)).toEqual(['hello'])
    bench.notifications[0]?.click()
    expect(bench.emitted.at(-1)).toEqual({ name: 'navigate', payload: { account, room: '!r' } })
    bench.focused = true
    await bench.call('timeline.watch', { account, room: '!r' })
    notify()
    expect(bench.notifications).toHaveLength(1)
    await bench.call('timeline.watch', { account, room: null })
    notify()
    expect(bench.notifications).toHaveLength(2)
    await bench.call('app.setSettings', { notifications: 'none' })
    notify()
    expect(bench.notifications).toHaveLength(2)
  })

  it('tells of a full disk while it is full, and no longer', async () => {
    const { account, ports } = bench.lastEngine
    const told = async (): Promise<unknown> => {
      const result = await bench.call('account.alerts', { account })
      return result.ok
        ? (result.value as { alert: { what: string } }[]).map((a) => a.alert.what)
        : 0
    }
    const tiers = async (): Promise<unknown> => {
      const result = await bench.call('account.alerts', { account })
      return result.ok ? (result.value as { tier: number }[]).map(({ tier }) => tier) : null
    }
    const commit = (id: string) => ports.store.commit({ id, puts: [], deletes: [] })
    bench.isFull = true
    await expect(commit('one')).rejects.toMatchObject({ code: 'full' })
    expect(await told()).toEqual(['storage_full'])
    // It is said once so that nobody can miss it, then quietly for as long as it lasts.
    expect(await tiers()).toEqual([1])
    await bench.call('alert.dismiss', { account, id: 'app:storage_full' })
    await expect(commit('again')).rejects.toMatchObject({ code: 'full' })
    expect(await tiers()).toEqual([2])
    bench.isFull = false
    await commit('two')
    // What the engine kept of it comes too late.
    const alert = { what: 'storage_full' } as const
    bench.lastEngine.kept = [{ id: 'storage_full', tier: 1, room: null, time: 1, alert }]
    expect(await told()).toEqual([])
  })

  it('ends only when the window has saved what was typed last', async () => {
    bench.hasWindow = true
    const stopped = bench.core.stop()
    await expect.poll(() => bench.emitted.at(-1)?.name).toBe('closing')
    expect(bench.lastEngine.stopped).toBe(false)
    expect(await bench.codeOf('app.readyToClose', {})).toBe(null)
    await stopped
    expect(bench.lastEngine.stopped).toBe(true)
  })

  it('goes on as the same device where its sign-in ran out', async () => {
    const before = bench.lastEngine
    before.signedOut = 'token_expired'
    const signIn = (server: string | null, name: string) =>
      bench.codeOf('account.signIn', { server, name, password: 'password' })
    expect(await signIn('example.org', '@ada:example.org')).toBe(null)
    expect(before.passwords).toEqual(['password'])
    expect(bench.lastEngine).toBe(before)
    expect(await signIn('example.org', '@ada:example.org')).toBe('already_exists')
    before.signedOut = 'token_expired'
    expect(await signIn('example.org', 'ada')).toBe(null)
    expect(bench.core.state.accounts).toHaveLength(1)
  })

  it('makes room for a new device of the same person where it was removed', async () => {
    const before = bench.lastEngine
    before.signedOut = 'device_removed'
    before.tell({ kind: 'signed_out', reason: 'device_removed' })
    await expect.poll(() => readdirSync(join(bench.folder, 'vaults'))).toEqual([])
    const again = { server: null, name: '@ada:example.org', password: 'password' }
    expect(await bench.codeOf('account.signIn', again)).toBe(null)
    expect(before.passwords).toEqual([])
    expect(bench.lastEngine).not.toBe(before)
    expect(bench.core.state.accounts).toHaveLength(1)
    await bench.restart()
    expect(bench.core.state.accounts).toHaveLength(1)
  })

  it('is gone from this computer after signing out', async () => {
    const { account } = bench.lastEngine
    expect(await bench.codeOf('account.signOut', { account })).toBe(null)
    expect(stage()).toBe('onboarding')
    expect(readdirSync(join(bench.folder, 'vaults'))).toEqual([])
    await bench.restart()
    expect(stage()).toBe('onboarding')
  })

  it('is wiped when its device was removed, and stays in sight until the user has seen it', async () => {
    const { account } = bench.lastEngine
    bench.lastEngine.tell({ kind: 'signed_out', reason: 'device_removed' })
    await expect.poll(() => readdirSync(join(bench.folder, 'vaults'))).toEqual([])
    expect(bench.core.state.accounts).toHaveLength(1)
    expect(await bench.codeOf('account.signOut', { account })).toBe(null)
    expect(stage()).toBe('onboarding')
  })

  it('does not know accounts of others', async () => {
    expect(await bench.codeOf('rooms.list', { account: 'another' })).toBe('bad_input')
  })

  it('opens only links that are harmless', async () => {
    expect(await bench.codeOf('app.openExternal', { url: 'file:///etc/passwd' })).toBe('bad_input')
    expect(await bench.codeOf('app.openExternal', { url: 'https://example.org' })).toBe(null)
  })
})
