/** What servers say of the keys of another that is gone, and what a node says of them itself. */
import { strict as assert } from 'node:assert'
import { setTimeout as wait } from 'node:timers/promises'
import { inviteBody, joinBody, toBase64Url } from '../../src-shared/protocol/index.ts'
import type { NodeKey, RoomEvent } from '../../src-shared/protocol/index.ts'
import { signServerKeys, verifyServerKeys } from '../../src-shared/api/index.ts'
import type { ServerKeys } from '../../src-shared/api/index.ts'
import type { HostileCase } from '../case.ts'
import { crypto, random } from '../device.ts'
import type { TestDevice } from '../device.ts'
import { eventItem, follow, newKey } from '../fake-peer.ts'
import type { Answered, FakePeer, Room } from '../fake-peer.ts'
import { expectError } from '../setting.ts'
import type { Setting } from '../setting.ts'
import { Scene, targetOf, thirdIn } from './scene.ts'

/** What was said a moment ago counts no more (15.2). */
const FORGOTTEN_MS = 2200

function silence(peer: FakePeer): void {
  peer.answers.keys = ({ response }) => void response.destroy()
}

function documentOf(server: string, key: NodeKey): ServerKeys {
  const ed25519 = toBase64Url(crypto.ed25519PublicKey(key.secret))
  return signServerKeys(crypto, key, server, [
    { key_id: key.keyId, ed25519, since: 1, until: null },
  ])
}

/** Says so of the server that the document names, of its own knowledge. */
function vouch(by: FakePeer, document: ServerKeys): void {
  by.answers.roomKeys = () => ({ documents: [{ document, first_hand: true }] })
}

/** Somebody of a server that answers no more and never did, invited into the scene's room. */
class Ghost {
  readonly scene: Scene
  readonly server: FakePeer
  readonly user: TestDevice

  private constructor(scene: Scene, server: FakePeer, user: TestDevice) {
    this.scene = scene
    this.server = server
    this.user = user
  }

  static async open(setting: Setting, scene: Scene): Promise<Ghost> {
    const server = setting.peer('gone')
    server.behave()
    server.key = newKey()
    silence(server)
    const user = server.newUser(setting.name('gus'))
    const invited = await scene.alice.setState(scene.room.id, inviteBody(user.member, user.userId))
    assert.equal(invited.status, 200)
    await scene.refresh()
    return new Ghost(scene, server, user)
  }

  get document(): ServerKeys {
    return this.server.keys() as ServerKeys
  }

  /** The user's roster under the server's key, or under one that it never had. */
  roster(key = this.server.key): RoomEvent {
    const { server, scene, user } = this
    const own = server.key
    server.key = key
    const roster = server.roster(scene.room, user)
    server.key = own
    return roster
  }

  /** Roster and join, brought by the scene's peer. */
  async comesIn(): Promise<void> {
    const { server, scene, user } = this
    const roster = this.roster()
    const stated: Room = follow(scene.room, roster)
    const sealed = user.sealState(stated.id, stated.state, joinBody(user.member, user.userId))
    const join = server.order(stated, sealed)
    assert.deepEqual(await scene.push(eventItem(roster), eventItem(join)), ['taken', 'taken'])
    await scene.sees(join)
  }
}

async function notTaken(scene: Scene, event: RoomEvent): Promise<void> {
  const [outcome = ''] = await scene.pushEvent(event)
  assert.match(outcome, /^(refused|later)/, 'an event under a key that nobody may vouch for')
}

function askKeys(
  setting: Setting,
  peer: FakePeer,
  room: string,
  servers: readonly string[],
): Promise<Answered> {
  const path = `/_eccp/federation/v1/rooms/${encodeURIComponent(room)}/keys`
  return peer.ask(targetOf(setting), { path, body: { servers } })
}

export const hostileKeys: readonly HostileCase[] = [
  {
    name: 'takes a key of a server that is gone only if most of those who hold its keys name it',
    section: '15.2.1',
    peers: ['evil', 'third', 'gone'],
    without: ['vouched_majority'],
    async run(setting) {
      const scene = await Scene.open(setting)
      await thirdIn(setting, scene)
      const ghost = await Ghost.open(setting, scene)
      const { name, key } = ghost.server
      vouch(setting.peer('third'), ghost.document)
      // Under an id of its own, so that no two answers speak of one key.
      const forged = newKey()
      vouch(scene.peer, documentOf(name, forged))
      await notTaken(scene, ghost.roster(forged))
      await wait(FORGOTTEN_MS)
      const changed = newKey(key.keyId)
      vouch(scene.peer, documentOf(name, changed))
      await notTaken(scene, ghost.roster(changed))
      await wait(FORGOTTEN_MS)
      vouch(scene.peer, ghost.document)
      await ghost.comesIn()
    },
  },
  {
    name: 'believes no key document of a server that is gone which its first key has not signed',
    section: '15.2.1',
    peers: ['evil', 'gone'],
    without: ['vouched_document'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const ghost = await Ghost.open(setting, scene)
      vouch(scene.peer, { ...ghost.document, sig: toBase64Url(random(64)) })
      await notTaken(scene, ghost.roster())
      await wait(FORGOTTEN_MS)
      vouch(scene.peer, ghost.document)
      await ghost.comesIn()
    },
  },
  {
    name: 'lets nobody vouch for a key of a server that answers, or has ever answered',
    section: '15.2.1',
    peers: ['evil', 'third'],
    without: ['vouched_gone'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const tom = await thirdIn(setting, scene)
      const third = setting.peer('third')
      const forged = newKey()
      vouch(scene.peer, documentOf(third.name, forged))
      const say = (text: string): RoomEvent =>
        third.order(scene.room, tom.sealMessage(scene.room.id, scene.room.state, text), {
          nodeKey: forged,
        })
      await notTaken(scene, say('while it answers'))
      silence(third)
      await wait(FORGOTTEN_MS)
      await notTaken(scene, say('now that it does not'))
      third.behave()
    },
  },
  {
    name: 'takes no request under a key that others have vouched for',
    section: '15.2.1',
    peers: ['evil', 'gone'],
    without: ['vouched_request', 'request_key'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const ghost = await Ghost.open(setting, scene)
      vouch(scene.peer, ghost.document)
      await ghost.comesIn()
      const asked = await askKeys(setting, ghost.server, scene.room.id, [scene.peer.name])
      expectError(asked, 401, 'E_BAD_SIGNATURE')
    },
  },
  {
    name: 'gives key documents of a room’s servers to none but those who are in it',
    section: '15.2.1',
    peers: ['evil', 'third', 'rotating'],
    without: ['room_view'],
    async run(setting) {
      const scene = await Scene.open(setting)
      await thirdIn(setting, scene)
      const asked = [setting.peer('third').name]
      const stranger = await askKeys(setting, setting.peer('rotating'), scene.room.id, asked)
      expectError(stranger, 404, 'M_NOT_FOUND')
    },
  },
  {
    name: 'gives key documents as they came, and only of servers that the room shows',
    section: '15.2.1',
    peers: ['evil', 'third', 'rotating'],
    without: ['key_view'],
    async run(setting) {
      const scene = await Scene.open(setting)
      await thirdIn(setting, scene)
      const [third, stranger] = [setting.peer('third'), setting.peer('rotating')]
      const { room, peer } = scene
      const all = [third.name, stranger.name, `nobody-${third.name}`]
      // So the node has met it.
      expectError(await askKeys(setting, stranger, room.id, all), 404, 'M_NOT_FOUND')
      const { status, body } = await askKeys(setting, peer, room.id, all)
      assert.equal(status, 200)
      const said = body['documents'] as { document: ServerKeys; first_hand: boolean }[]
      assert.deepEqual(
        said.map(({ document }) => document.server_name),
        [third.name],
      )
      assert.equal(said[0]?.first_hand, true)
      assert.deepEqual(said[0].document, third.keys())
      assert.ok(verifyServerKeys(crypto, said[0].document, third.name))
    },
  },
]
