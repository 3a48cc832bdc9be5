/** Engines against a node in the same process: people and their devices, for tests that talk end to end. */
import {
  createAccount,
  openAccount,
  prepareAccount,
  signIn,
} from '../../src-shared/client/index.ts'
import type { Engine, EngineChange, EnginePorts, Transport } from '../../src-shared/client/index.ts'
import { MemoryStore } from '../../src-shared/client/testing/memory-store.ts'
import { seededRandom, systemClock } from '../../src-shared/client/testing/simulation.ts'
import type { MessageItem, TimelineItem } from '../../src-shared/view-model/index.ts'
import { createNativeCrypto } from '../../src-platform/crypto/native-crypto.ts'
import { createHttpTransport } from '../../src-platform/http-transport.ts'
import type { TestNode } from './start-node.ts'

const crypto = createNativeCrypto()
const PASSWORD = 'correct horse battery'
let seeds = Date.now()

export interface TestUser {
  readonly name: string
  readonly engine: Engine
  readonly store: MemoryStore
  readonly ports: EnginePorts
  readonly changes: EngineChange[]
}

/** Where a node answers and what it is called. */
export type NodeAddress = Pick<TestNode, 'url' | 'serverName'>

export interface UserOptions {
  readonly transport?: (real: Transport) => Transport
  readonly store?: MemoryStore
  readonly log?: EnginePorts['log']
  /** False: the test calls `engine.start()` itself. */
  readonly isStarted?: boolean
}

function portsFor(node: NodeAddress, options: UserOptions): EnginePorts & { store: MemoryStore } {
  const real = createHttpTransport({ baseUrl: () => node.url })
  return {
    crypto,
    store: options.store ?? new MemoryStore(),
    transport: options.transport?.(real) ?? real,
    clock: systemClock,
    random: seededRandom(seeds++),
    log: options.log ?? (() => undefined),
  }
}

function started(
  name: string,
  engine: Engine,
  ports: EnginePorts & { store: MemoryStore },
  { isStarted = true }: UserOptions = {},
): TestUser {
  const changes: EngineChange[] = []
  engine.subscribe((change) => changes.push(change))
  if (isStarted) engine.start()
  return { name, engine, store: ports.store, ports, changes }
}

export async function newUser(
  node: NodeAddress,
  name: string,
  options: UserOptions = {},
): Promise<TestUser> {
  const ports = portsFor(node, options)
  const engine = await createAccount(ports, prepareAccount(ports), {
    serverName: node.serverName,
    name,
    password: PASSWORD,
    displayName: name.toUpperCase(),
    deviceName: `${name}'s desk`,
  })
  return started(name, engine, ports, options)
}

export async function newDevice(
  node: TestNode,
  name: string,
  options: UserOptions = {},
): Promise<TestUser> {
  const ports = portsFor(node, options)
  const engine = await signIn(ports, {
    serverName: node.serverName,
    name,
    password: PASSWORD,
    deviceName: `${name}'s laptop`,
  })
  return started(name, engine, ports)
}

/** The same account again, from what was durable. */
export async function reopened(
  node: TestNode,
  user: TestUser,
  options: UserOptions = {},
): Promise<TestUser> {
  return opened(node, user.name, { ...options, store: user.store.reopen() })
}

/** From a store that may hold an account. */
export async function opened(
  node: TestNode,
  name: string,
  options: UserOptions,
): Promise<TestUser> {
  const ports = portsFor(node, options)
  return started(name, await openAccount(ports), ports)
}

export async function pairOfUsers(node: TestNode): Promise<readonly [TestUser, TestUser]> {
  return [await newUser(node, 'ada'), await newUser(node, 'ben')]
}

/** A direct room that both are in, on whatever nodes they are. */
export async function conversation(from: TestUser, to: TestUser): Promise<string> {
  const { room } = await from.engine.startDirect(to.engine.view().userId)
  await until(() => to.engine.roomList().some(({ id }) => id === room))
  await to.engine.accept(room)
  await until(() => from.engine.roomList().some((one) => one.id === room && one.memberCount === 2))
  return room
}

export async function say(user: TestUser, room: string, text: string): Promise<void> {
  await user.engine.send(room, { text, replyTo: null, clientKey: `${user.name}:${text}` })
}

export async function timeline(user: TestUser, room: string): Promise<readonly TimelineItem[]> {
  const items: TimelineItem[] = []
  let before: string | null = null
  do {
    const page = await user.engine.page(room, before, 100)
    items.unshift(...page.items)
    before = page.older
  } while (before !== null)
  return items
}

export async function messages(user: TestUser, room: string): Promise<readonly MessageItem[]> {
  return (await timeline(user, room)).filter((item) => item.kind === 'message')
}

export async function texts(user: TestUser, room: string): Promise<readonly string[]> {
  return (await messages(user, room)).map(({ text, protection }) =>
    protection.state === 'protected' ? text : `<${protection.state}>`,
  )
}

/** Resolves when `holds` does; throws after `ms`. */
export async function until(holds: () => boolean | Promise<boolean>, ms = 60_000): Promise<void> {
  const end = Date.now() + ms
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('waited too long')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
