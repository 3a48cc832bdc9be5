/** Accounts, devices, manifests, names and prekeys, as a client meets them. */
import { strict as assert } from 'node:assert'
import {
  activateRequest,
  addDevice,
  appendEntry,
  deviceKeysOf,
  draftAddDevice,
  generatePrekeys,
  pendingUpload,
  recoverDevice,
  removeDevices,
  signEntry,
  verifyBundle,
  verifyManifest,
} from '../../src-shared/protocol/index.ts'
import type { PrekeyUpload, SignedEntry } from '../../src-shared/protocol/index.ts'
import type { Body } from '../../src-shared/api/index.ts'
import type { Case } from '../case.ts'
import {
  crypto,
  draftAccount,
  letIn,
  newSecrets,
  passwordOf,
  random,
  removeDevice,
  signIn,
  TestDevice,
} from '../device.ts'
import { expectError, pairOf } from '../setting.ts'
import type { Setting } from '../setting.ts'

const wire = (signed: SignedEntry) => signed as unknown as Body<'appendManifest'>['entry']

function registering({ node }: Setting, body: Body<'register'>) {
  const { registerCode: code } = node
  const full = code === null ? body : { ...body, registration_token: code }
  return node.ask(node.url, 'register', { body: full })
}

function sameAccount(first: TestDevice, secrets = newSecrets()): TestDevice {
  const { url, server, name, recovery, manifest } = first
  const device = new TestDevice(url, server, name, secrets, recovery, manifest)
  device.ask = first.ask
  return device
}

function loggingIn(device: TestDevice, password = passwordOf(device.name), user = device.name) {
  const keys = deviceKeysOf(crypto, device.secrets)
  return device.call('login', {
    token: null,
    body: { user, password, device: keys, proof: device.proof() },
  })
}

function upload(device: TestDevice, stock: number): PrekeyUpload {
  const made = generatePrekeys({ crypto, random, now: Date.now(), local: device.local, stock })
  return pendingUpload(made) ?? {}
}

function claim(by: TestDevice, of: TestDevice) {
  return by.ok('claimKeys', { body: { devices: [{ user_id: of.userId, ...pairOf(of) }] } })
}

export const clientAccounts: readonly Case[] = [
  {
    name: 'makes an account whose manifest anyone can verify, and says whose token it is',
    section: '10.5',
    async run(setting) {
      const [alice, bob] = [await setting.regular('alice'), await setting.regular('bob')]
      const { entries } = await bob.ok('manifest', { params: { userId: alice.userId } })
      const verified = verifyManifest(crypto, entries as unknown as SignedEntry[])
      assert.ok(verified.ok && verified.state.fingerprint === alice.member)
      const { userId: user_id, member, id: device } = alice
      assert.deepEqual(await alice.ok('whoami'), { user_id, member, device, scope: 'full' })
    },
  },
  {
    name: 'refuses a name that is taken, impossible or not the entry’s, and a short password',
    section: '10.5',
    async run(setting) {
      const alice = await setting.regular('alice')
      const { body } = draftAccount(setting.node, setting.name('x'))
      const taken = draftAccount(setting.node, alice.name).body
      expectError(await registering(setting, taken), 409, 'M_USER_IN_USE')
      for (const username of ['Alice', 'a b', '@x', 'ä', '-a'])
        expectError(await registering(setting, { ...body, username }), 400, 'M_INVALID_USERNAME')
      const other = { ...body, username: setting.name('y') }
      expectError(await registering(setting, other), 400, 'E_BAD_ENTRY')
      expectError(
        await registering(setting, { ...body, password: 'short' }),
        400,
        'M_WEAK_PASSWORD',
      )
    },
  },
  {
    name: 'refuses a genesis entry that was changed or is not signed',
    section: '10.5',
    async run(setting) {
      const { body } = draftAccount(setting.node, setting.name('x'))
      const changed = structuredClone(body)
      changed.genesis.entry['bot'] = true
      const bare = structuredClone(body)
      bare.genesis.signatures = {}
      for (const bad of [changed, bare])
        expectError(await registering(setting, bad), 400, 'E_BAD_ENTRY')
    },
  },
  {
    name: 'gives a new token when a registration is repeated, as after a lost answer',
    section: '10.5',
    async run(setting) {
      const { device, body } = draftAccount(setting.node, setting.name('repeat'))
      const first = await registering(setting, body)
      const second = await registering(setting, { ...body, proof: device.proof() })
      assert.deepEqual([first.status, second.status], [200, 200])
      assert.equal(second.body.member, first.body.member)
      const token = second.body.access_token
      assert.equal((await device.call('whoami', { token })).status, 200)
      const wrong = { ...body, password: 'another long password' }
      expectError(await registering(setting, wrong), 409, 'M_USER_IN_USE')
    },
  },
  {
    name: 'asks for a proof that the device’s key is held now',
    section: '10.4',
    async run(setting) {
      const { device, body } = draftAccount(setting.node, setting.name('x'))
      const another = draftAccount(setting.node, device.name).device
      const forged = { ...body, proof: another.proof() }
      expectError(await registering(setting, forged), 403, 'M_FORBIDDEN')
      for (const minutes of [-10, 10]) {
        const proof = device.proof(Date.now() + minutes * 60_000)
        const late = await registering(setting, { ...body, proof })
        expectError(late, 403, 'E_CLOCK_SKEW')
        assert.equal(typeof late.body.server_time, 'number')
      }
    },
  },
  {
    name: 'answers a wrong password and an unknown user alike',
    section: '10.5',
    async run(setting) {
      const alice = await setting.regular('alice')
      const wrong = await loggingIn(sameAccount(alice), 'not the password')
      const { device: nobody } = draftAccount(setting.node, setting.name('nobody'))
      const unknown = await loggingIn(nobody)
      assert.deepEqual([wrong.status, wrong.body], [unknown.status, unknown.body])
      expectError(wrong, 403, 'M_FORBIDDEN')
    },
  },
  {
    name: 'gives a device one token at a time, and none after logout',
    section: '10.5',
    async run(setting) {
      const alice = await setting.newcomer('tokens')
      const before = alice.token
      const session = await loggingIn(alice)
      assert.deepEqual([session.status, session.body.scope], [200, 'full'])
      expectError(await alice.call('whoami', { token: before }), 401, 'M_UNKNOWN_TOKEN')
      alice.token = session.body.access_token
      await alice.ok('logout', { body: {} })
      expectError(await alice.call('whoami'), 401, 'M_UNKNOWN_TOKEN')
    },
  },
  {
    name: 'refuses other keys under the id of a known device',
    section: '10.5',
    async run(setting) {
      const alice = await setting.regular('alice')
      const thief = sameAccount(alice, { ...newSecrets(), id: alice.id })
      expectError(await loggingIn(thief), 403, 'M_FORBIDDEN')
    },
  },
  {
    name: 'lets a pending device see its own account and nothing else',
    section: '9.6',
    async run(setting) {
      const owner = await setting.newcomer('pending')
      const bob = await setting.regular('bob')
      const second = await signIn(owner)
      assert.equal((await second.ok('whoami')).scope, 'pending')
      await second.ok('manifest', { params: { userId: owner.userId } })
      await second.ok('devices')
      const refused = [
        await second.call('manifest', { params: { userId: bob.userId } }),
        await second.call('profile', { params: { userId: bob.userId } }),
        await second.call('setProfile', { body: { display_name: 'x' } }),
        await second.call('uploadKeys', { body: {} }),
        await second.call('createRoom', { body: owner.createRoomBody() }),
      ]
      for (const answer of refused) expectError(answer, 403, 'E_DEVICE_PENDING')
      const { rooms, to_device, profiles, account } = await second.sync()
      assert.deepEqual([rooms, to_device, profiles], [{}, [], []])
      assert.equal(account.scope, 'pending')
    },
  },
  {
    name: 'takes of a pending device its own recovery request, and its activation once the wait is over',
    section: '12.4',
    async run(setting) {
      const owner = await setting.newcomer('recovering')
      const second = await signIn(owner)
      const third = await signIn(owner)
      const append = (by: TestDevice, signed: SignedEntry) =>
        by.call('appendManifest', { body: { entry: wire(signed) } })
      const of = (secrets: TestDevice['secrets']) =>
        recoverDevice(crypto, owner.manifest, secrets, owner.recovery)
      expectError(await append(second, of(third.secrets)), 403, 'E_DEVICE_PENDING')
      expectError(
        await append(second, removeDevices(crypto, owner.manifest, owner.secrets, [owner.id])),
        403,
        'E_DEVICE_PENDING',
      )
      const request = of(second.secrets)
      assert.equal((await append(second, request)).status, 200)
      const asked = appendEntry(crypto, owner.manifest, request)
      assert.ok(asked.ok)
      const { state } = asked
      const activation = activateRequest(crypto, state, owner.recovery, state.head)
      const early = await append(second, activation)
      assert.deepEqual([early.body.errcode, early.body.rule], ['E_BAD_ENTRY', 'too_early'])
      expectError(await append(third, activation), 403, 'E_DEVICE_PENDING')
      assert.equal((await second.ok('whoami')).scope, 'pending')
    },
  },
  {
    name: 'relays a pairing between a pending device and the active ones, step by step',
    section: '10.5',
    async run(setting) {
      const owner = await setting.newcomer('pairing')
      const before = await owner.sync()
      const second = await signIn(owner)
      const told = await owner.sync(before.next)
      assert.deepEqual(
        told.account.pending_devices.map((row) => row.device.id),
        [second.id],
      )
      type Step = 'start' | 'answer' | 'reveal' | 'verdict'
      const step = (by: TestDevice, name: Step, message: string) =>
        by.call('pairing', { params: { device: second.id, step: name }, body: { message } })
      assert.equal((await step(second, 'start', 's')).status, 200)
      expectError(await step(owner, 'start', 's'), 403, 'M_FORBIDDEN')
      expectError(await step(second, 'answer', 'a'), 403, 'M_FORBIDDEN')
      assert.equal((await step(owner, 'answer', 'a')).status, 200)
      assert.equal((await step(second, 'reveal', 'r')).status, 200)
      const { account } = await owner.sync(told.next)
      const messages = { start: 's', answer: 'a', reveal: 'r' }
      assert.deepEqual(account.pairings, [{ device: second.id, messages }])
      await step(second, 'start', 'again')
      const anew = (await second.sync()).account.pairings
      assert.deepEqual(anew, [{ device: second.id, messages: { start: 'again' } }])
      await letIn(owner, second)
      assert.equal((await second.ok('whoami')).scope, 'full')
      expectError(await step(owner, 'answer', 'late'), 404, 'M_NOT_FOUND')
    },
  },
  {
    name: 'holds at most eight pending devices, and forgets those that are dismissed',
    section: '10.5',
    async run(setting) {
      const owner = await setting.newcomer('crowd')
      const pending: TestDevice[] = []
      for (let count = 0; count < 8; count++) pending.push(await signIn(owner))
      expectError(await loggingIn(sameAccount(owner)), 429, 'M_LIMIT_EXCEEDED')
      const [first, second] = pending
      assert.ok(first !== undefined && second !== undefined)
      const dismiss = (by: TestDevice, device: string) =>
        by.call('dismissDevice', { params: { device } })
      expectError(await dismiss(first, second.id), 403, 'E_DEVICE_PENDING')
      expectError(await dismiss(owner, owner.id), 404, 'M_NOT_FOUND')
      assert.equal((await dismiss(owner, second.id)).status, 200)
      expectError(await second.call('whoami'), 401, 'M_UNKNOWN_TOKEN')
      assert.equal((await dismiss(first, first.id)).status, 200)
      expectError(await first.call('whoami'), 401, 'M_UNKNOWN_TOKEN')
    },
  },
  {
    name: 'appends one of two entries on the same head, and tells the other where the head is',
    section: '10.6',
    async run(setting) {
      const owner = await setting.newcomer('heads')
      const entries = [await signIn(owner), await signIn(owner)].map((device) => {
        const draft = draftAddDevice(owner.manifest, owner.id, deviceKeysOf(crypto, device.secrets))
        const possession = signEntry(crypto, 'device', device.secrets.ed25519, draft)
        return addDevice(crypto, draft, owner.secrets, possession)
      })
      const answers = await Promise.all(
        entries.map((entry) => owner.call('appendManifest', { body: { entry: wire(entry) } })),
      )
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409])
      const won = answers.find(({ status }) => status === 200)
      const lost = answers.find(({ status }) => status === 409)
      assert.ok(won !== undefined && lost !== undefined)
      expectError(lost, 409, 'E_HEAD_CONFLICT')
      assert.deepEqual([lost.body.head, lost.body.height], [won.body.head, 1])
    },
  },
  {
    name: 'refuses an entry that breaks a rule of the log, and names the rule',
    section: '10.6',
    async run(setting) {
      const alice = await setting.regular('alice')
      const entry = removeDevices(crypto, alice.manifest, alice.secrets, [newSecrets().id])
      const answer = await alice.call('appendManifest', { body: { entry: wire(entry) } })
      expectError(answer, 400, 'E_BAD_ENTRY', 'unknown_device')
    },
  },
  {
    name: 'gives a manifest from a height on, and none of users that are not there',
    section: '10.6',
    async run(setting) {
      const [owner, bob] = [await setting.newcomer('log'), await setting.regular('bob')]
      await letIn(owner, await signIn(owner))
      const read = (userId: string, from: number) =>
        bob.call('manifest', { params: { userId }, query: { from } })
      assert.equal((await read(owner.userId, 0)).body.entries.length, 2)
      assert.equal((await read(owner.userId, 1)).body.entries.length, 1)
      assert.equal((await read(owner.userId, 9)).body.entries.length, 0)
      const nobody = `@${setting.name('nobody')}:${setting.node.serverName}`
      expectError(await read(nobody, 0), 404, 'M_NOT_FOUND')
    },
  },
  {
    name: 'ends token, prekeys and waiting messages of a removed device at once, and tells it so',
    section: '10.5',
    async run(setting) {
      const [owner, bob] = [await setting.newcomer('removal'), await setting.regular('bob')]
      const second = await signIn(owner)
      await letIn(owner, second)
      await second.uploadKeys(1)
      const start = await second.sync()
      const query = { since: start.next, timeout: 30_000 }
      const waiting = second.call('sync', { query })
      await removeDevice(owner, second)
      expectError(await waiting, 401, 'E_DEVICE_REMOVED')
      expectError(await second.call('whoami'), 401, 'E_DEVICE_REMOVED')
      expectError(await loggingIn(second), 401, 'E_DEVICE_REMOVED')
      const { bundles, missing } = await claim(bob, second)
      assert.deepEqual([bundles, missing], [[], [pairOf(second)]])
    },
  },
  {
    name: 'shows display names to others and device names to their owner',
    section: '10.5',
    async run(setting) {
      const [alice, bob] = [await setting.regular('alice'), await setting.regular('bob')]
      const display_name = setting.name('Alice')
      await alice.ok('setProfile', { body: { display_name } })
      const params = { userId: alice.userId }
      const user_id = alice.userId
      assert.deepEqual(await bob.ok('profile', { params }), { user_id, display_name })
      const long = await alice.call('setProfile', { body: { display_name: 'x'.repeat(129) } })
      expectError(long, 400, 'M_BAD_JSON')
      await alice.ok('nameDevice', { params: { device: alice.id }, body: { name: 'Desk' } })
      const { devices } = await alice.ok('devices')
      assert.deepEqual(
        devices.map(({ name }) => name),
        ['Desk'],
      )
      const others = { params: { device: bob.id }, body: { name: 'x' } }
      expectError(await alice.call('nameDevice', others), 404, 'M_NOT_FOUND')
    },
  },
  {
    name: 'hands out each one-time prekey once, then the signed prekey alone',
    section: '10.7',
    async run(setting) {
      const [owner, bob] = [await setting.newcomer('prekeys'), await setting.regular('bob')]
      const body = upload(owner, 2)
      assert.deepEqual(await owner.ok('uploadKeys', { body }), { one_time_prekeys: 2 })
      const ids: unknown[] = []
      for (let count = 0; count < 3; count++) {
        const [given] = (await claim(bob, owner)).bundles
        assert.ok(given !== undefined)
        assert.deepEqual(verifyBundle(crypto, given.bundle, owner.local), { ok: true })
        ids.push(given.bundle.one_time?.id)
      }
      const due = [...(body.one_time ?? []).map(({ id }) => id), undefined]
      assert.deepEqual(new Set(ids), new Set(due))
      assert.deepEqual(await owner.ok('uploadKeys', { body }), { one_time_prekeys: 0 })
    },
  },
  {
    name: 'gives no one-time prekey to two of many who ask at once',
    section: '3.3',
    async run(setting) {
      const [owner, bob] = [await setting.newcomer('rush'), await setting.regular('bob')]
      await owner.ok('uploadKeys', { body: upload(owner, 8) })
      const answers = await Promise.all(Array.from({ length: 8 }, () => claim(bob, owner)))
      const ids = answers.map(({ bundles }) => bundles[0]?.bundle.one_time?.id)
      assert.equal(new Set(ids).size, 8)
    },
  },
  {
    name: 'refuses prekeys whose signature is not of this device and kind',
    section: '10.7',
    async run(setting) {
      const [alice, bob] = [await setting.regular('alice'), await setting.regular('bob')]
      const good = upload(alice, 1)
      const swapped = { one_time: good.signed === undefined ? [] : [good.signed] }
      for (const body of [swapped, upload(bob, 1)])
        expectError(await alice.call('uploadKeys', { body }), 400, 'M_INVALID_PARAM')
    },
  },
  {
    name: 'lists as missing, without a reason, whom it has no prekeys of',
    section: '10.7',
    async run(setting) {
      const [alice, bob] = [await setting.regular('alice'), await setting.regular('bob')]
      const { member, id: device, userId: user_id } = alice
      const devices = [
        { user_id, member, device: 'A'.repeat(16) },
        { user_id, member: bob.member, device },
      ]
      const answer = await bob.ok('claimKeys', { body: { devices } })
      const missing = devices.map((one) => ({ member: one.member, device: one.device }))
      assert.deepEqual(answer, { bundles: [], missing })
    },
  },
]
