/** A room on the node under test that a fake peer's user is in: where hostile cases begin. */
import { strict as assert } from 'node:assert'
import {
  addDevice,
  appendEntry,
  deviceKeysOf,
  draftAddDevice,
  inviteBody,
  signEntry,
  toBase64Url,
} from '../../src-shared/protocol/index.ts'
import type { RoomEvent, StateBody, Wrap } from '../../src-shared/protocol/index.ts'
import { crypto, newSecrets, random } from '../device.ts'
import type { TestDevice } from '../device.ts'
import { eventItem, follow } from '../fake-peer.ts'
import type { FakePeer, Ordering, Room, Target } from '../fake-peer.ts'
import type { Follower } from '../follower.ts'
import type { PeerRole, Setting } from '../setting.ts'

export interface SceneOptions {
  /** State after the room's first, made by its creator. */
  readonly more?: readonly StateBody[]
  /** State that needs to know the peer's user. */
  readonly about?: (user: TestDevice) => StateBody[]
  readonly history?: 'joined' | 'shared'
  readonly role?: PeerRole
  /** People of the same node, joined as well. */
  readonly others?: readonly TestDevice[]
}

export function targetOf({ node }: Setting): Target {
  const { serverName, federationUrl } = node
  assert.ok(federationUrl !== null, 'no address for other nodes')
  return { serverName, federationUrl }
}

interface Parts {
  readonly setting: Setting
  readonly target: Target
  readonly peer: FakePeer
  /** On the peer. */
  readonly eve: TestDevice
  /** On the node; made the room. */
  readonly alice: TestDevice
  readonly follower: Follower
}

export class Scene {
  readonly setting: Setting
  readonly target: Target
  readonly peer: FakePeer
  readonly eve: TestDevice
  readonly alice: TestDevice
  readonly follower: Follower
  /** As the peer sees it; cases move it on. */
  room: Room

  private constructor({ setting, target, peer, eve, alice, follower }: Parts, room: Room) {
    this.setting = setting
    this.target = target
    this.peer = peer
    this.eve = eve
    this.alice = alice
    this.follower = follower
    this.room = room
  }

  static async open(setting: Setting, options: SceneOptions = {}): Promise<Scene> {
    const target = targetOf(setting)
    const peer = setting.peer(options.role ?? 'evil')
    peer.behave()
    const alice = await setting.regular('alice')
    const follower = await setting.follow(alice)
    const eve = peer.newUser(setting.name('eve'))
    const id = await setting.room(
      alice,
      options.others ?? [],
      [
        ...(options.more ?? []),
        inviteBody(eve.member, eve.userId),
        ...(options.about?.(eve) ?? []),
      ],
      options.history === undefined ? {} : { history: options.history },
    )
    const room = await peer.join(target, id, eve)
    return new Scene({ setting, target, peer, eve, alice, follower }, room)
  }

  /** The peer learns what others have said meanwhile. */
  async refresh(): Promise<Room> {
    this.room = await this.peer.fetchRoom(this.target, this.room.id)
    return this.room
  }

  message(text: string, change: Partial<Ordering> = {}, wraps: Wrap[] = []): RoomEvent {
    const { room, eve, peer } = this
    return peer.order(room, eve.sealMessage(room.id, room.state, text, wraps), change)
  }

  state(body: StateBody, change: Partial<Ordering> = {}, on: Room = this.room): RoomEvent {
    return this.peer.order(on, this.eve.sealState(on.id, on.state, body), change)
  }

  /** Outcomes of items, `taken` or `refused CODE` or `later CODE`. */
  push(...items: object[]): Promise<string[]> {
    return this.peer.push(this.target, items)
  }

  pushEvent(event: Parameters<typeof eventItem>[0], wraps: Wrap[] = []): Promise<string[]> {
    return this.push(eventItem(event, wraps))
  }

  /** Pushes an honest event that must be taken, and goes on from it. */
  async honest(event: RoomEvent): Promise<RoomEvent> {
    assert.deepEqual(await this.pushEvent(event), ['taken'], 'an honest event')
    this.peer.remember(event)
    this.room = follow(this.room, event)
    return event
  }

  sees(event: RoomEvent): Promise<unknown> {
    return this.follower.sees(event.envelopeId)
  }

  /** What came before an honest message that is shown was shown before it or never will be. */
  async neverSees(...events: readonly RoomEvent[]): Promise<void> {
    const marker = await this.alice.say(this.room.id, 'marker')
    await this.follower.sees(marker.envelope_id)
    for (const event of events)
      assert.equal(
        this.follower.seen(event.envelopeId),
        undefined,
        'an event that must not be shown was shown',
      )
  }
}

/** Somebody of another peer, joined in the scene's room. */
export async function thirdIn(setting: Setting, scene: Scene): Promise<TestDevice> {
  const third = setting.peer('third')
  third.behave()
  const tom = third.newUser(setting.name('tom'))
  const { alice, room, target } = scene
  assert.equal((await alice.setState(room.id, inviteBody(tom.member, tom.userId))).status, 200)
  await third.join(target, room.id, tom)
  await scene.refresh()
  return tom
}

/** One outcome, refused; where the node names a code, it is one of these. */
export function expectRefused(outcomes: readonly string[], ...codes: readonly string[]): void {
  assert.equal(outcomes.length, 1)
  const [outcome = '', code] = (outcomes[0] ?? '').split(' ')
  assert.equal(outcome, 'refused', `outcome: ${outcomes.join()}`)
  if (code !== undefined && codes.length > 0)
    assert.ok(codes.includes(code), `code ${code}, expected ${codes.join(' or ')}`)
}

export function nothingSigned(): string {
  return toBase64Url(new Uint8Array(64))
}

export function randomBody(bytes = 40): string {
  return toBase64Url(random(bytes))
}

/** The user's manifest with one entry more; whether anybody is told is the case's business. */
export function withOneMoreDevice(user: TestDevice) {
  const secrets = newSecrets()
  const draft = draftAddDevice(user.manifest, user.id, deviceKeysOf(crypto, secrets))
  const possession = signEntry(crypto, 'device', secrets.ed25519, draft)
  const entry = addDevice(crypto, draft, user.secrets, possession)
  const grown = appendEntry(crypto, user.manifest, entry)
  assert.ok(grown.ok)
  return { entry, state: grown.state }
}
