import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  activateRequest,
  addDevice,
  appendEntry,
  contestRemoval,
  deviceKeysOf,
  draftAddDevice,
  recoverDevice,
  removeDevices,
  signEntry,
  verifyManifest,
  vetoRequest,
} from '../../src-shared/protocol/index.ts'
import type { SignedEntry } from '../../src-shared/protocol/index.ts'
import type { Body } from '../../src-shared/api/index.ts'
import { startNode } from '../testing/start-node.ts'
import type { TestNode } from '../testing/start-node.ts'
import {
  call,
  crypto,
  draftAccount,
  letIn,
  newSecrets,
  passwordOf,
  register,
  signIn,
  TestDevice,
} from '../../conformance/device.ts'

let node: TestNode
beforeAll(async () => {
  node = await startNode()
})
afterAll(() => node.stop())

const HOUR = 3_600_000

let names = 0
const fresh = (): string => `user${++names}`
const wire = (signed: SignedEntry) => signed as unknown as Body<'appendManifest'>['entry']

describe('registering', () => {
  it('makes an account whose manifest anyone here can verify', async () => {
    const alice = await register(node, fresh())
    const bob = await register(node, fresh())
    const answer = await bob.ok('manifest', { params: { userId: alice.userId } })
    const verified = verifyManifest(crypto, answer.entries as unknown as SignedEntry[])
    expect(verified).toMatchObject({ ok: true, state: { fingerprint: alice.member, height: 0 } })
    expect(await alice.ok('whoami')).toEqual({
      user_id: alice.userId,
      member: alice.member,
      device: alice.id,
      scope: 'full',
    })
  })

  it('refuses a taken name', async () => {
    const name = fresh()
    await register(node, name)
    const { body } = draftAccount(node, name)
    const again = await call(node.url, 'register', { body })
    expect([again.status, again.body.errcode]).toEqual([409, 'M_USER_IN_USE'])
  })

  it('gives a device that lost the answer a token when it asks again with the same keys', async () => {
    const { device, body } = draftAccount(node, fresh())
    const first = await call(node.url, 'register', { body })
    const second = await call(node.url, 'register', { body: { ...body, proof: device.proof() } })
    expect(second.status).toBe(200)
    expect(second.body.device).toBe(first.body.device)
    expect((await device.call('whoami', { token: second.body.access_token })).status).toBe(200)
    const wrong = { ...body, password: 'another long password' }
    expect((await call(node.url, 'register', { body: wrong })).body.errcode).toBe('M_USER_IN_USE')
  })

  it.each(['', 'Alice', 'a b', '@x', 'ä', '-a', 'x'.repeat(65)])(
    'refuses the name %j',
    async (username) => {
      const { body } = draftAccount(node, fresh())
      const answer = await call(node.url, 'register', { body: { ...body, username } })
      expect(answer.status).toBe(400)
      expect(['M_INVALID_USERNAME', 'M_BAD_JSON']).toContain(answer.body.errcode)
    },
  )

  it('refuses a short password', async () => {
    const { body } = draftAccount(node, fresh())
    const answer = await call(node.url, 'register', { body: { ...body, password: 'short' } })
    expect(answer.body.errcode).toBe('M_WEAK_PASSWORD')
  })

  it('refuses a genesis entry for another name, a changed one and one without its signatures', async () => {
    const { body } = draftAccount(node, fresh())
    const other = draftAccount(node, fresh()).body
    const changed = structuredClone(body)
    changed.genesis.entry['bot'] = true
    const bare = structuredClone(body)
    bare.genesis.signatures = {}
    for (const bad of [{ ...body, genesis: other.genesis }, changed, bare]) {
      const answer = await call(node.url, 'register', { body: bad })
      expect([answer.status, answer.body.errcode]).toEqual([400, 'E_BAD_ENTRY'])
    }
  })

  it('refuses a proof by another key or from another time', async () => {
    const { device, body } = draftAccount(node, fresh())
    const forged = { ...body, proof: draftAccount(node, device.name).device.proof() }
    expect((await call(node.url, 'register', { body: forged })).body.errcode).toBe('M_FORBIDDEN')
    for (const minutes of [-6, 6]) {
      const proof = device.proof(Date.now() + minutes * 60_000)
      const late = await call(node.url, 'register', { body: { ...body, proof } })
      expect(late.body.errcode).toBe('E_CLOCK_SKEW')
      expect(Math.abs((late.body.server_time ?? 0) - Date.now())).toBeLessThan(60_000)
    }
  })

  it('takes nobody where registration is closed, and token holders where it takes a token', async () => {
    const closed = await startNode({ registration: 'closed' })
    const byToken = await startNode({ registration: 'token', bootstrapAdmin: 'root' })
    try {
      const one = draftAccount(closed, 'one').body
      expect((await call(closed.url, 'register', { body: one })).body.errcode).toBe(
        'M_REGISTRATION_CLOSED',
      )
      const token = byToken.bootstrapToken ?? ''
      const root = draftAccount(byToken, 'root').body
      const other = draftAccount(byToken, 'other').body
      const attempt = (body: Body<'register'>) => call(byToken.url, 'register', { body })
      expect((await attempt(root)).body.errcode).toBe('M_REGISTRATION_CLOSED')
      expect((await attempt({ ...other, registration_token: token })).body.errcode).toBe(
        'M_REGISTRATION_CLOSED',
      )
      expect((await attempt({ ...root, registration_token: token })).status).toBe(200)
      const account = await byToken.context.storage.read((tx) => tx.accounts.byName('root'))
      expect(account?.admin).toBe(1)
    } finally {
      await closed.stop()
      await byToken.stop()
    }
  })
})

describe('signing in', () => {
  it('gives a known device its scope back and ends its earlier token', async () => {
    const alice = await register(node, fresh())
    const before = alice.token
    const session = await alice.ok('login', {
      token: null,
      body: {
        user: alice.userId,
        password: passwordOf(alice.name),
        device: deviceKeysOf(crypto, alice.secrets),
        proof: alice.proof(),
      },
    })
    expect(session.scope).toBe('full')
    expect((await alice.call('whoami', { token: before })).body.errcode).toBe('M_UNKNOWN_TOKEN')
    expect((await alice.call('whoami', { token: session.access_token })).status).toBe(200)
  })

  it('answers a wrong password and an unknown user alike', async () => {
    const alice = await register(node, fresh())
    const attempt = async (user: string, password: string) => {
      const device = new TestDevice(
        node.url,
        node.serverName,
        user,
        newSecrets(),
        alice.recovery,
        alice.manifest,
      )
      const keys = deviceKeysOf(crypto, device.secrets)
      const body = { user, password, device: keys, proof: device.proof() }
      return call(node.url, 'login', { body })
    }
    const wrong = await attempt(alice.name, 'not the password')
    const unknown = await attempt('nobody', passwordOf('nobody'))
    expect([wrong.status, wrong.body]).toEqual([unknown.status, unknown.body])
    expect(wrong.body.errcode).toBe('M_FORBIDDEN')
  })

  it('takes as long for an unknown user as for a wrong password', async () => {
    const slow = await startNode({ passwordCost: { memoryCost: 16 * 1024, timeCost: 3 } })
    try {
      const alice = await register(slow, 'alice')
      const time = async (user: string): Promise<number> => {
        const device = new TestDevice(
          slow.url,
          slow.serverName,
          user,
          newSecrets(),
          alice.recovery,
          alice.manifest,
        )
        const keys = deviceKeysOf(crypto, device.secrets)
        const body = { user, password: 'no such password', device: keys, proof: device.proof() }
        const start = performance.now()
        expect((await call(slow.url, 'login', { body })).status).toBe(403)
        return performance.now() - start
      }
      const known: number[] = []
      const unknown: number[] = []
      for (let round = 0; round < 5; round++) {
        known.push(await time('alice'))
        unknown.push(await time('nobody'))
      }
      // An answer without the hash would come in a tenth of the time.
      expect(Math.min(...unknown)).toBeGreaterThan(Math.min(...known) / 2)
    } finally {
      await slow.stop()
    }
  })

  it('refuses the keys of another device under a known id', async () => {
    const alice = await register(node, fresh())
    const thief = new TestDevice(
      node.url,
      node.serverName,
      alice.name,
      { ...newSecrets(), id: alice.id },
      alice.recovery,
      alice.manifest,
    )
    const answer = await thief.call('login', {
      token: null,
      body: {
        user: alice.name,
        password: passwordOf(alice.name),
        device: deviceKeysOf(crypto, thief.secrets),
        proof: thief.proof(),
      },
    })
    expect(answer.body).toMatchObject({ errcode: 'M_FORBIDDEN', rule: 'other_device_keys' })
  })

  it('ends a token that has lived its time', async () => {
    let now = Date.now()
    const brief = await startNode({ tokenLifetimeMs: 60_000, world: { now: () => now } })
    try {
      const alice = await register(brief, 'alice')
      expect((await alice.call('whoami')).status).toBe(200)
      now += 60_001
      expect((await alice.call('whoami')).body.errcode).toBe('M_UNKNOWN_TOKEN')
    } finally {
      await brief.stop()
    }
  })

  it('ends a token on logout', async () => {
    const alice = await register(node, fresh())
    await alice.ok('logout', { body: {} })
    expect((await alice.call('whoami')).body.errcode).toBe('M_UNKNOWN_TOKEN')
  })
})

describe('appending to the manifest', () => {
  const DAY = 24 * HOUR

  it('is refused before a wait is over, soon after a veto, and when a contest comes too late', async () => {
    let now = Date.now()
    const timed = await startNode({ world: { now: () => now } })
    try {
      const alice = await register(timed, 'alice')
      const append = async (signed: SignedEntry): Promise<string> => {
        const answer = await alice.call('appendManifest', { body: { entry: wire(signed) } })
        if (answer.status !== 200) return `${answer.body.errcode} ${answer.body.rule}`
        const result = appendEntry(crypto, alice.manifest, signed)
        if (!result.ok) throw new Error(result.code)
        alice.manifest = result.state
        return 'taken'
      }
      const { recovery } = alice
      const author = { id: alice.id, ed25519: alice.secrets.ed25519 }
      const lost = newSecrets()
      expect(await append(recoverDevice(crypto, alice.manifest, lost, recovery))).toBe('taken')
      const request = alice.manifest.head
      const activation = activateRequest(crypto, alice.manifest, recovery, request)
      now += 48 * HOUR - 1
      expect(await append(activation)).toBe('E_BAD_ENTRY too_early')
      now += 1
      expect(await append(activation)).toBe('taken')

      const next = newSecrets()
      expect(await append(recoverDevice(crypto, alice.manifest, next, recovery))).toBe('taken')
      const vetoed = vetoRequest(crypto, alice.manifest, author, alice.manifest.head)
      expect(await append(vetoed)).toBe('taken')
      const again = recoverDevice(crypto, alice.manifest, newSecrets(), recovery)
      now += 7 * DAY - 1
      expect(await append(again)).toBe('E_BAD_ENTRY too_early')
      now += 1
      expect(await append(again)).toBe('taken')

      expect(await append(removeDevices(crypto, alice.manifest, author, [lost.id]))).toBe('taken')
      const removal = alice.manifest.head
      const removed = { id: lost.id, ed25519: lost.ed25519 }
      now += 7 * DAY
      const late = contestRemoval(crypto, alice.manifest, removed, recovery, removal, [alice.id])
      expect(await append(late)).toBe('E_BAD_ENTRY too_late')
      now -= 1
      expect(await append(late)).toBe('taken')
    } finally {
      await timed.stop()
    }
  })
})

describe('a pending device', () => {
  it('asks to be let in with the words alone, and ends the wait itself; of the log nothing else is its', async () => {
    let now = Date.now()
    const timed = await startNode({ world: { now: () => now } })
    try {
      const alice = await register(timed, 'alice')
      const { recovery } = alice
      const second = await signIn(alice)
      const third = await signIn(alice)
      const append = async (signed: SignedEntry): Promise<string> => {
        const answer = await second.call('appendManifest', { body: { entry: wire(signed) } })
        if (answer.status !== 200) return `${answer.body.errcode} ${answer.body.rule ?? ''}`.trim()
        const result = appendEntry(crypto, second.manifest, signed)
        if (!result.ok) throw new Error(result.code)
        second.manifest = result.state
        return 'taken'
      }
      const otherKeys = { ...newSecrets(), id: second.id }
      for (const secrets of [third.secrets, otherKeys])
        expect(await append(recoverDevice(crypto, second.manifest, secrets, recovery))).toBe(
          'E_DEVICE_PENDING',
        )
      expect(await append(recoverDevice(crypto, second.manifest, second.secrets, recovery))).toBe(
        'taken',
      )
      const request = second.manifest.head
      const activation = activateRequest(crypto, second.manifest, recovery, request)
      expect(await append(activation)).toBe('E_BAD_ENTRY too_early')
      expect(await append(vetoRequest(crypto, second.manifest, recovery, request))).toBe(
        'E_DEVICE_PENDING',
      )
      const early = await third.call('appendManifest', { body: { entry: wire(activation) } })
      expect(early.body.errcode).toBe('E_DEVICE_PENDING')
      // What the manifest waits for can sign in again, though its keys are known.
      await second.ok('logout', { body: {} })
      const { access_token: token } = await second.ok('login', {
        token: null,
        body: {
          user: 'alice',
          password: passwordOf('alice'),
          device: deviceKeysOf(crypto, second.secrets),
          proof: second.proof(now),
        },
      })
      second.token = token
      now += 48 * HOUR
      expect(await append(activation)).toBe('taken')
      expect((await second.ok('whoami')).scope).toBe('full')
    } finally {
      await timed.stop()
    }
  })

  it('sees its own account and nothing else', async () => {
    const alice = await register(node, fresh())
    const bob = await register(node, fresh())
    const second = await signIn(alice)
    expect((await second.ok('whoami')).scope).toBe('pending')
    expect((await second.call('manifest', { params: { userId: alice.userId } })).status).toBe(200)
    expect((await second.call('devices')).status).toBe(200)
    const other = await second.call('manifest', { params: { userId: bob.userId } })
    expect([other.status, other.body.errcode]).toEqual([403, 'E_DEVICE_PENDING'])
    const refused = [
      await second.call('profile', { params: { userId: bob.userId } }),
      await second.call('setProfile', { body: { display_name: 'x' } }),
      await second.call('uploadKeys', { body: {} }),
      await second.call('createRoom', { body: alice.createRoomBody() }),
    ]
    for (const { body } of refused) expect(body.errcode).toBe('E_DEVICE_PENDING')
    const synced = await second.sync()
    expect(synced.rooms).toEqual({})
    expect(synced.account).toMatchObject({ scope: 'pending' })
  })

  it('is announced to the others, relays its pairing, and becomes active by an entry', async () => {
    const alice = await register(node, fresh())
    const before = await alice.sync()
    const second = await signIn(alice)
    const told = await alice.sync(before.next)
    expect(told.account.pending_devices.map((row) => row.device.id)).toEqual([second.id])

    const step = (
      device: TestDevice,
      name: 'start' | 'answer' | 'reveal' | 'verdict',
      message: string,
    ) => device.call('pairing', { params: { device: second.id, step: name }, body: { message } })
    expect((await step(second, 'start', 's')).status).toBe(200)
    expect((await step(alice, 'start', 's')).body.errcode).toBe('M_FORBIDDEN')
    expect((await step(second, 'answer', 'a')).body.errcode).toBe('M_FORBIDDEN')
    expect((await step(alice, 'answer', 'a')).status).toBe(200)
    expect((await step(second, 'reveal', 'r')).status).toBe(200)
    const { account } = await alice.sync(told.next)
    expect(account.pairings).toEqual([
      { device: second.id, messages: { start: 's', answer: 'a', reveal: 'r' } },
    ])
    await step(second, 'start', 'again')
    expect((await second.sync()).account.pairings).toEqual([
      { device: second.id, messages: { start: 'again' } },
    ])

    await letIn(alice, second)
    expect((await second.ok('whoami')).scope).toBe('full')
    const after = await alice.sync()
    expect(after.account.pending_devices).toEqual([])
    expect(after.account.pairings).toEqual([])
    expect((await step(alice, 'answer', 'late')).body.errcode).toBe('M_NOT_FOUND')
  })

  it('can be dismissed by an active device, and only itself by itself', async () => {
    const alice = await register(node, fresh())
    const second = await signIn(alice)
    const third = await signIn(alice)
    const dismiss = (by: TestDevice, device: string) =>
      by.call('dismissDevice', { params: { device } })
    expect((await dismiss(second, third.id)).body.errcode).toBe('E_DEVICE_PENDING')
    expect((await dismiss(alice, alice.id)).body.errcode).toBe('M_NOT_FOUND')
    expect((await dismiss(alice, third.id)).status).toBe(200)
    expect((await third.call('whoami')).body.errcode).toBe('M_UNKNOWN_TOKEN')
    expect((await dismiss(second, second.id)).status).toBe(200)
    expect((await second.call('whoami')).body.errcode).toBe('M_UNKNOWN_TOKEN')
  })

  it('is one of eight at most', async () => {
    const alice = await register(node, fresh())
    for (let count = 0; count < 8; count++) await signIn(alice)
    await expect(signIn(alice)).rejects.toThrow('M_LIMIT_EXCEEDED')
  })

  it('loses its token when other keys are let in under its id', async () => {
    const alice = await register(node, fresh())
    const second = await signIn(alice)
    const impostor = new TestDevice(
      node.url,
      node.serverName,
      alice.name,
      { ...newSecrets(), id: second.id },
      alice.recovery,
      alice.manifest,
    )
    await letIn(alice, impostor)
    expect((await second.call('whoami')).body.errcode).toBe('M_UNKNOWN_TOKEN')
  })
})

describe('the manifest', () => {
  it('takes one of two entries on the same head and tells the other where the head is', async () => {
    const alice = await register(node, fresh())
    const entries = [await signIn(alice), await signIn(alice)].map((device) => {
      const keys = deviceKeysOf(crypto, device.secrets)
      const draft = draftAddDevice(alice.manifest, alice.id, keys)
      const possession = signEntry(crypto, 'device', device.secrets.ed25519, draft)
      return addDevice(crypto, draft, alice.secrets, possession)
    })
    const answers = await Promise.all(
      entries.map((entry) => alice.call('appendManifest', { body: { entry: wire(entry) } })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
    const won = answers.find(({ status }) => status === 200)
    const lost = answers.find(({ status }) => status === 409)
    expect(lost?.body).toMatchObject({
      errcode: 'E_HEAD_CONFLICT',
      head: won?.body.head,
      height: 1,
    })
  })

  it('refuses an entry that breaks a rule, and names the rule', async () => {
    const alice = await register(node, fresh())
    const entry = removeDevices(crypto, alice.manifest, alice.secrets, [newSecrets().id])
    const answer = await alice.call('appendManifest', { body: { entry: wire(entry) } })
    expect([answer.status, answer.body]).toEqual([
      400,
      expect.objectContaining({ errcode: 'E_BAD_ENTRY', rule: 'unknown_device' }),
    ])
    const forged = structuredClone(wire(entry))
    forged.entry['prev'] = 'A'.repeat(43)
    expect((await alice.call('appendManifest', { body: { entry: forged } })).body.errcode).toBe(
      'E_HEAD_CONFLICT',
    )
  })

  it('ends the token, prekeys and messages of a removed device at once, and tells it so', async () => {
    const alice = await register(node, fresh())
    const second = await signIn(alice)
    await letIn(alice, second)
    await second.uploadKeys()
    const start = await second.sync()
    const waiting = second.call('sync', { query: { since: start.next, timeout: 20_000 } })
    const entry = removeDevices(crypto, alice.manifest, alice.secrets, [second.id])
    await alice.ok('appendManifest', { body: { entry: wire(entry) } })
    const told = await waiting
    expect([told.status, told.body.errcode]).toEqual([401, 'E_DEVICE_REMOVED'])
    expect((await second.call('whoami')).body.errcode).toBe('E_DEVICE_REMOVED')
    const wanted = { user_id: alice.userId, member: alice.member, device: second.id }
    const claimed = await alice.ok('claimKeys', { body: { devices: [wanted] } })
    expect(claimed.bundles).toEqual([])
    const again = await second.call('login', {
      token: null,
      body: {
        user: alice.name,
        password: passwordOf(alice.name),
        device: deviceKeysOf(crypto, second.secrets),
        proof: second.proof(),
      },
    })
    expect([again.status, again.body.errcode]).toEqual([401, 'E_DEVICE_REMOVED'])
  })

  it('gives a log from a height on, and none of an unknown user or of one who can not be asked for', async () => {
    const alice = await register(node, fresh())
    await letIn(alice, await signIn(alice))
    const read = (userId: string, from?: number) =>
      alice.call('manifest', { params: { userId }, query: from === undefined ? {} : { from } })
    expect((await read(alice.userId, 1)).body.entries).toHaveLength(1)
    expect((await read(alice.userId, 9)).body.entries).toHaveLength(0)
    expect((await read('@nobody:node.test')).body.errcode).toBe('M_NOT_FOUND')
    expect((await read(`@${alice.name}:elsewhere.test`)).body.errcode).toBe('E_PEER_UNREACHABLE')
  })
})

describe('names', () => {
  it('shows a display name to others and a device name to oneself', async () => {
    const alice = await register(node, fresh())
    const bob = await register(node, fresh())
    await alice.ok('setProfile', { body: { display_name: 'Alice A.' } })
    const params = { userId: alice.userId }
    expect(await bob.ok('profile', { params })).toEqual({
      user_id: alice.userId,
      display_name: 'Alice A.',
    })
    const unknown = await bob.call('profile', { params: { userId: '@nobody:node.test' } })
    expect(unknown.body.errcode).toBe('M_NOT_FOUND')
    await alice.ok('nameDevice', { params: { device: alice.id }, body: { name: 'Desk' } })
    expect((await alice.ok('devices')).devices.map(({ name }) => name)).toEqual(['Desk'])
    const notMine = await alice.call('nameDevice', {
      params: { device: bob.id },
      body: { name: 'x' },
    })
    expect(notMine.body.errcode).toBe('M_NOT_FOUND')
  })
})
