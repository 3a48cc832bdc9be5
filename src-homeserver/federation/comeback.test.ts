/** A node whose data is set back to a backup, among others that have gone on. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { inviteBody, joinBody, membershipOf, rosterOf } from '../../src-shared/protocol/index.ts'
import { copyData, forgetMarks, putBack } from '../testing/data-copy.ts'
import { until } from '../testing/engine-users.ts'
import { FederationNet } from '../testing/federation-net.ts'
import type { Member } from '../testing/federation-net.ts'
import { letIn, register, removeDevice, signIn, stateFrom } from '../../conformance/device.ts'
import type { TestDevice } from '../../conformance/device.ts'

vi.setConfig({ testTimeout: 120_000 })

let net: FederationNet
let a: Member
let b: Member
let folder: string
beforeEach(async () => {
  net = await FederationNet.open(['a.test', 'b.test'])
  a = await net.start('a.test')
  b = await net.start('b.test')
  folder = mkdtempSync(join(tmpdir(), 'eccp-backup-'))
})
afterEach(async () => {
  await net.close()
  rmSync(folder, { recursive: true, force: true })
})

async function membership(asking: TestDevice, room: string, who: TestDevice): Promise<string> {
  const { status, body } = await asking.call('state', { params: { roomId: room } })
  if (status !== 200) return String(body.errcode)
  return membershipOf(stateFrom(body.events), who.member) ?? 'none'
}

async function comeIn(host: TestDevice, guest: TestDevice, room: string): Promise<void> {
  await until(async () => (await membership(guest, room, guest)) === 'invite')
  const joined = await guest.setState(room, joinBody(guest.member, guest.userId))
  expect(joined.status).toBe(200)
  await until(async () => (await membership(host, room, guest)) === 'join')
}

async function together(host: TestDevice, guest: TestDevice): Promise<string> {
  const room = await host.createRoom([inviteBody(guest.member, guest.userId)])
  await comeIn(host, guest, room)
  return room
}

async function holds(member: Member, room: string, envelope: string): Promise<boolean> {
  const row = await member.node?.context.storage.read((tx) => tx.events.byEnvelope(room, envelope))
  return row?.body !== undefined && row.body !== null
}

async function metric(member: Member, line: string): Promise<boolean> {
  const text = (await member.node?.context.metrics.registry.metrics()) ?? ''
  return text.split('\n').includes(line)
}

/** Puts the copy where the data was and starts the node on it. */
async function goBack(copy: string, ...devices: TestDevice[]): Promise<void> {
  await a.stop()
  await putBack(copy, a.dataDir)
  await startAgain(...devices)
}

async function startAgain(...devices: TestDevice[]): Promise<void> {
  a = await net.start('a.test')
  for (const device of devices) device.url = a.url
}

describe('a node that is started on a backup', () => {
  it('gets from the others what it and its users have said since, and hands out no prekey twice', async () => {
    const alice = await register(a, 'alice')
    const bob = await register(b, 'bob')
    const room = await together(alice, bob)
    await alice.uploadKeys(5)
    const stolen = await signIn(alice)
    await letIn(alice, stolen)
    const copy = join(folder, 'copy')
    await copyData(a.dataDir, copy)

    const wanted = { user_id: alice.userId, member: alice.member, device: alice.id }
    const claim = async () =>
      (await bob.ok('claimKeys', { body: { devices: [wanted] } })).bundles[0]?.bundle
    const claimed = (await claim())?.one_time?.id
    expect(claimed).toBeDefined()
    const said = [await alice.say(room, 'said since'), await bob.say(room, 'answered since')].map(
      ({ envelope_id }) => envelope_id,
    )
    await removeDevice(alice, stolen)
    await until(async () => rosterOf(await bob.state(room), alice.member)?.height === 2)
    const entered = await together(bob, alice)
    said.push((await bob.say(room, 'and more')).envelope_id)
    const open = await bob.createRoom([inviteBody(alice.member, alice.userId)])
    await until(async () => (await membership(alice, open, alice)) === 'invite')
    await until(() => holds(a, room, said[2] ?? ''))
    const { next } = await alice.sync()

    await goBack(copy, alice, stolen)
    // Positions of what is gone are known as such, however far the data has grown by now.
    const refused = await alice.call('sync', { query: { since: next } })
    expect([refused.status, refused.body.errcode]).toEqual([409, 'E_SYNC_RESET'])
    await until(() => metric(a, 'eccp_restoring 0'))
    expect(await metric(b, 'eccp_peer_alarms_total{what="restored"} 1')).toBe(true)
    for (const envelope of said) expect(await holds(a, room, envelope)).toBe(true)
    expect(await membership(alice, entered, alice)).toBe('join')
    await until(async () => (await membership(alice, open, alice)) === 'invite')
    // What was taken off its account since is off it again.
    expect(await alice.ok('whoami')).toMatchObject({ member: alice.member })
    const log = await alice.ok('manifest', { params: { userId: alice.userId } })
    expect([log.height, log.head]).toEqual([2, alice.manifest.head])
    expect((await stolen.call('sync')).body.errcode).toBe('E_DEVICE_REMOVED')

    const bundle = await claim()
    expect([bundle?.signed !== undefined, bundle?.one_time]).toEqual([true, undefined])
    const answered = await alice.say(room, 'back again')
    const heard = await bob.say(entered, 'welcome')
    await until(() => holds(b, room, answered.envelope_id))
    await until(() => holds(a, entered, heard.envelope_id))
  })

  it('notices by an event of its own that it does not have, and by no less', async () => {
    const alice = await register(a, 'alice')
    const bob = await register(b, 'bob')
    const room = await together(alice, bob)
    const copy = join(folder, 'copy')
    await copyData(a.dataDir, copy)
    const { envelope_id: lost } = await alice.say(room, 'soon forgotten')
    await until(() => holds(b, room, lost))
    const { next } = await alice.sync()

    await a.stop()
    await putBack(copy, a.dataDir)
    // A copy that was made by other means: nothing in it says that it is one.
    await forgetMarks(a.dataDir)
    await startAgain(alice)
    expect(await metric(a, 'eccp_restoring 0')).toBe(true)
    const ahead = await alice.call('sync', { query: { since: next } })
    expect([ahead.status, ahead.body.errcode]).toEqual([409, 'E_SYNC_RESET'])
    expect(await metric(a, 'eccp_positions_ahead_total 1')).toBe(true)
    const { next: early } = await alice.sync()
    expect(await metric(b, 'eccp_peer_alarms_total{what="restored"} 1')).toBe(false)

    const { envelope_id: onTop } = await bob.say(room, 'do you remember?')
    await until(() => holds(a, room, onTop))
    expect(await holds(a, room, lost)).toBe(true)
    await until(() => metric(b, 'eccp_peer_alarms_total{what="restored"} 1'))
    const reset = await alice.call('sync', { query: { since: early } })
    expect(reset.body.errcode).toBe('E_SYNC_RESET')
    await until(() => metric(a, 'eccp_restoring 0'))
  })

  it('waits for a server that is away, refuses nothing for want of what that one has, and asks it then', async () => {
    const alice = await register(a, 'alice')
    const bob = await register(b, 'bob')
    await together(alice, bob)
    const copy = join(folder, 'copy')
    await copyData(a.dataDir, copy)
    const entered = await together(bob, alice)
    net.cut('a.test', 'b.test')
    const { envelope_id: said } = await bob.say(entered, 'in a room that is not there')
    await goBack(copy, alice)
    // Asked once; others may write meanwhile.
    await until(
      async () => (await alice.call('createRoom', { body: alice.createRoomBody() })).status === 200,
    )
    expect(await metric(a, 'eccp_restoring 1')).toBe(true)
    // A restart in the middle.
    await a.stop()
    await startAgain(alice)
    expect(await metric(a, 'eccp_restoring 1')).toBe(true)
    net.heal()
    await until(() => holds(a, entered, said))
    await until(() => metric(a, 'eccp_restoring 0'))
    expect(await membership(alice, entered, bob)).toBe('join')
  })
})
