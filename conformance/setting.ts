/**
 * What cases share: the nodes, the people on them, and the fake peers. Accounts are few and serve many cases, since
 * a node limits registrations (10.11); rooms are new for each.
 */
import { strict as assert } from 'node:assert'
import { inviteBody, joinBody, membershipOf, toBase64Url } from '../src-shared/protocol/index.ts'
import type { StateBody } from '../src-shared/protocol/index.ts'
import { draftAccount, random, stateFrom } from './device.ts'
import type { TestDevice } from './device.ts'
import type { FakePeer } from './fake-peer.ts'
import { Follower } from './follower.ts'
import type { NodePlace } from './place.ts'
import type { PublishedSchemas } from './published.ts'
import { until } from './until.ts'

/**
 * Names that fake peers go by, in the order in which they are given out. A node remembers keys, failures and
 * addresses of each, so what spoils one has a name of its own.
 */
export const peerRoles = [
  'evil',
  'third',
  'rotating',
  'changing',
  'silent',
  'liar',
  'gone',
  'stranger',
  'garbled',
] as const
export type PeerRole = (typeof peerRoles)[number]

/** Without any of these a case is not run. */
export interface Needs {
  readonly second?: boolean
  /** Fake peers, under names of their own. */
  readonly peers?: readonly PeerRole[]
  /** An optional part of the draft, as capabilities name it (10.3). */
  readonly feature?: string
}

export interface SettingParts {
  readonly node: NodePlace
  readonly second: NodePlace | null
  readonly peers: ReadonlyMap<PeerRole, FakePeer>
  readonly schemas: PublishedSchemas
}

type Regular = 'alice' | 'bob' | 'carol'

export class Setting {
  readonly node: NodePlace
  readonly schemas: PublishedSchemas
  readonly #second: NodePlace | null
  readonly #peers: ReadonlyMap<PeerRole, FakePeer>
  readonly #regulars = new Map<string, Promise<TestDevice>>()
  readonly #followers = new WeakMap<TestDevice, Follower>()
  /** Names of other runs on the same node are taken. */
  readonly #run = toBase64Url(random(6))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '0')
  #names = 0

  constructor({ node, second, peers, schemas }: SettingParts) {
    this.node = node
    this.schemas = schemas
    this.#second = second
    this.#peers = peers
  }

  get second(): NodePlace {
    assert.ok(this.#second !== null, 'no second node')
    return this.#second
  }

  peer(role: PeerRole): FakePeer {
    const peer = this.#peers.get(role)
    assert.ok(peer !== undefined, `no peer for ${role}`)
    return peer
  }

  /** Why a case can't be run here; null where it can. */
  lacks(needs: Needs): string | null {
    const { features, transports } = this.node.capabilities
    const offered: readonly string[] = [...features, ...transports]
    if (needs.feature !== undefined && !offered.includes(needs.feature))
      return `the node does not offer ${needs.feature}`
    if (needs.second === true && this.#second === null) return 'needs a second node (--second)'
    const missing = needs.peers?.filter((role) => !this.#peers.has(role)) ?? []
    if (missing.length > 0) {
      const count = Math.max(...missing.map((role) => peerRoles.indexOf(role))) + 1
      return `needs ${count} names of fake peers (--peer)`
    }
    if ((needs.peers?.length ?? 0) > 0 && this.node.federationUrl === null)
      return 'needs the address for other nodes (--federation)'
    return null
  }

  name(stem: string): string {
    return `${stem}-${this.#run}-${++this.#names}`
  }

  /** The same in every case: nothing may be done to the account itself. */
  regular(who: Regular, place: NodePlace = this.node): Promise<TestDevice> {
    const key = `${who} ${place.url}`
    let person = this.#regulars.get(key)
    if (person === undefined) {
      person = this.newcomer(who, place)
      this.#regulars.set(key, person)
    }
    return person
  }

  /** An account of its own. */
  async newcomer(stem: string, place: NodePlace = this.node): Promise<TestDevice> {
    const { device, body } = draftAccount(place, this.name(stem))
    const code = place.registerCode
    const session = await device.ok('register', {
      token: null,
      body: code === null ? body : { ...body, registration_token: code },
    })
    device.token = session.access_token
    return device
  }

  /** One for each device: a position goes forward only. */
  async follow(device: TestDevice): Promise<Follower> {
    const known = this.#followers.get(device)
    if (known !== undefined) {
      await known.catchUp()
      return known
    }
    const follower = new Follower(device)
    this.#followers.set(device, follower)
    await follower.catchUp()
    return follower
  }

  /** A room of the first, with the others invited and joined; they may be on different nodes. */
  async room(
    maker: TestDevice,
    others: readonly TestDevice[] = [],
    more: readonly StateBody[] = [],
    options: Parameters<TestDevice['createRoom']>[1] = {},
  ): Promise<string> {
    const invitations = others.map(({ member, userId }) => inviteBody(member, userId))
    const room = await maker.createRoom([...more, ...invitations], options)
    for (const other of others) {
      await this.membership(other, room, other, 'invite')
      const joined = await other.setState(room, joinBody(other.member, other.userId))
      assert.equal(joined.status, 200, `join: ${String(joined.body.errcode)}`)
      await this.membership(maker, room, other, 'join')
    }
    return room
  }

  /** Waits until `asking`'s node says so; an error's code stands for what it refuses to say. */
  async membership(
    asking: TestDevice,
    room: string,
    who: TestDevice | { readonly member: string },
    expected: string,
  ): Promise<void> {
    let said = ''
    await until(
      async () => {
        said = await membershipSaid(asking, room, who.member)
        return said === expected
      },
      () => `membership: expected ${expected}, the node says ${said}`,
    )
  }
}

export async function membershipSaid(
  asking: TestDevice,
  room: string,
  member: string,
): Promise<string> {
  const { status, body } = await asking.call('state', { params: { roomId: room } })
  if (status !== 200) return String(body.errcode)
  return membershipOf(stateFrom(body.events), member) ?? 'none'
}

/** What a case expects of an answer, as far as the draft binds it. */
export function expectError(
  answer: { readonly status: number; readonly body: object },
  status: number,
  errcode: string,
  rule?: string,
): void {
  const said = answer.body as { errcode?: unknown; rule?: unknown }
  assert.deepEqual([answer.status, said.errcode], [status, errcode])
  if (rule !== undefined) assert.equal(said.rule, rule, `rule of ${errcode}`)
}

export function pairOf({ member, id }: TestDevice): { member: string; device: string } {
  return { member, device: id }
}
