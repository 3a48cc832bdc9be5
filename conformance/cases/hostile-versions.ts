/** Servers that say something odd about the versions that they speak. */
import { strict as assert } from 'node:assert'
import { setTimeout as wait } from 'node:timers/promises'
import { FEDERATION_VERSIONS, serverApi } from '../../src-shared/api/index.ts'
import { inviteBody } from '../../src-shared/protocol/index.ts'
import type { HostileCase } from '../case.ts'
import type { TestDevice } from '../device.ts'
import type { Answering, FakePeer } from '../fake-peer.ts'
import { expectError } from '../setting.ts'
import { until } from '../until.ts'
import { targetOf } from './scene.ts'

/** Somebody whom the node has not met. */
const manifestOf = (asking: TestDevice, userId: string) =>
  asking.call('manifest', { params: { userId } })

const falseVersions = (peer: FakePeer): Record<string, Answering> => ({
  'another server’s': () => ({ ...peer.version(), server_name: `not-${peer.name}` }),
  'without a list': () => ({ ...peer.version(), versions: FEDERATION_VERSIONS[0] }),
  'with thousands of versions': () => ({
    ...peer.version(),
    versions: [...FEDERATION_VERSIONS, ...Array.from({ length: 3000 }, (_, at) => `v${at}.9`)],
  }),
  'with a name that is too long': () => ({
    ...peer.version(),
    versions: [...FEDERATION_VERSIONS, 'v'.repeat(1000)],
  }),
  'longer than 15.10 has it': () => ({
    ...peer.version(),
    more: 'x'.repeat(serverApi.version.maxAnswer),
  }),
  'no JSON': ({ response }) => void response.writeHead(200).end('v0.1'),
  'not there': () => null,
})

export const hostileVersions: readonly HostileCase[] = [
  {
    name: 'says nothing to a server with which it has no version in common, until there is one',
    section: '15.1',
    peers: ['stranger'],
    without: ['common_version'],
    async run(setting) {
      const peer = setting.peer('stranger')
      peer.answers.version = () => ({ ...peer.version(), versions: ['v99.0', 'v98.1'] })
      const alice = await setting.regular('alice')
      const xena = peer.newUser(setting.name('xena'))
      const room = await alice.createRoom([inviteBody(xena.member, xena.userId)])
      // What waits is tried: by then the node has heard which versions there are.
      await until(async () => {
        const { servers } = await alice.ok('roomServers', { params: { roomId: room } })
        assert.equal(peer.signed, 0, 'a signed request to a server without a common version')
        return servers.some(
          ({ server, silent_since: since }) => server === peer.name && since !== null,
        )
      })
      expectError(await manifestOf(alice, xena.userId), 422, 'E_FEDERATION_UNAVAILABLE')
      assert.equal(peer.signed, 0, 'a signed request to a server without a common version')
      peer.answers.version = () => ({
        ...peer.version(),
        versions: ['v99.0', ...FEDERATION_VERSIONS],
        features: ['unheard_of'],
        unheard_of: { of: 1 },
      })
      const { serverName } = setting.node
      const path = `/_eccp/federation/v1/manifests/${encodeURIComponent(`@nobody:${serverName}`)}`
      expectError(await peer.ask(targetOf(setting), { path }), 404, 'M_NOT_FOUND')
      await until(() => peer.received.some(({ kind }) => kind === 'invite'))
      const { member } = await alice.ok('manifest', { params: { userId: xena.userId } })
      assert.equal(member, xena.member)
      await until(async () => {
        const { servers } = await alice.ok('roomServers', { params: { roomId: room } })
        return servers.every(({ silent_since: since }) => since === null)
      })
    },
  },
  {
    name: 'takes no false answer for a list of versions',
    section: '15.1',
    peers: ['garbled'],
    without: ['version_answer'],
    async run(setting) {
      const peer = setting.peer('garbled')
      const alice = await setting.regular('alice')
      const gwen = peer.newUser(setting.name('gwen'))
      for (const [what, answer] of Object.entries(falseVersions(peer))) {
        peer.answers.version = answer
        expectError(await manifestOf(alice, gwen.userId), 504, 'E_PEER_UNREACHABLE')
        assert.equal(peer.signed, 0, `a signed request after an answer that is ${what}`)
      }
      peer.behave()
      await until(async () => (await manifestOf(alice, gwen.userId)).status === 200)
    },
  },
  {
    name: 'waits for a list of versions no longer than it can bear',
    section: '15.1',
    peers: ['silent'],
    slow: true,
    without: ['answer_deadline'],
    async run(setting) {
      const peer = setting.peer('silent')
      const alice = await setting.regular('alice')
      const sue = peer.newUser(setting.name('sue'))
      peer.answers.version = ({ response }) => {
        // A byte now and then, and never an end.
        response.writeHead(200, { 'content-type': 'application/json' })
        const drip = setInterval(() => response.write(' '), 500)
        response.on('close', () => clearInterval(drip))
        return undefined
      }
      try {
        const asked = manifestOf(alice, sue.userId)
        await alice.ok('whoami')
        const answer = await Promise.race([asked, wait(40_000, null)])
        assert.ok(answer !== null, 'a client waits for ever for versions that do not come')
        expectError(answer, 504, 'E_PEER_UNREACHABLE')
        assert.equal(peer.signed, 0, 'a signed request before the versions are known')
      } finally {
        peer.behave()
      }
    },
  },
]
