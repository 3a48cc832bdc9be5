/** Nodes of this repository on loopback for the suite to run against, whole or without some of their guards. */
import { startNode } from '../../src-homeserver/testing/start-node.ts'
import { FederationNet } from '../../src-homeserver/testing/federation-net.ts'
import { withoutGuards } from '../../src-homeserver/testing/weakened.ts'
import { isolated } from '../../src-homeserver/config.ts'
import { realWorld } from '../../src-homeserver/context.ts'
import { PeerListener } from '../fake-peer.ts'
import { peerRoles } from '../setting.ts'
import type { SuiteOptions } from '../suite.ts'

const HOME = 'home.test'
const SECOND = 'second.test'
export const peerNames = peerRoles.map((role) => `${role}.test`)

export interface UnderTest {
  readonly options: Pick<
    SuiteOptions,
    'node' | 'federation' | 'registerCode' | 'second' | 'secondRegisterCode' | 'peers'
  >
  readonly listener: PeerListener
  stop(): Promise<void>
}

/** Two nodes that know each other and the fake peers. */
export async function startTwo(): Promise<UnderTest> {
  const net = await FederationNet.open([HOME, SECOND, ...peerNames])
  const listener = await PeerListener.open({ host: '127.0.0.1', port: 0, tls: null })
  for (const name of peerNames) net.aim(name, listener.url)
  const [home, second] = [await net.start(HOME), await net.start(SECOND)]
  return {
    options: {
      node: home.url,
      federation: home.node?.federationUrl ?? null,
      registerCode: null,
      second: second.url,
      secondRegisterCode: null,
      peers: peerNames,
    },
    listener,
    async stop() {
      listener.close()
      await net.close()
    },
  }
}

/** One node without these guards, which knows the fake peers. */
export async function startWeakened(without: readonly string[]): Promise<UnderTest> {
  const listener = await PeerListener.open({ host: '127.0.0.1', port: 0, tls: null })
  const at = { host: '127.0.0.1', port: Number(new URL(listener.url).port) }
  const node = await startNode({
    serverName: HOME,
    logLevel: 'silent',
    checkAnswers: false,
    world: { ...realWorld, guards: withoutGuards(without) },
    federation: {
      ...isolated,
      mode: 'open',
      listen: { host: '127.0.0.1', port: 0 },
      plainHttpOnLoopback: true,
      peers: Object.fromEntries(
        peerNames.map((name) => [name, { ...at, rootFile: null, plainHttp: true }]),
      ),
      retry: { firstMs: 50, maxMs: 400 },
    },
  })
  return {
    options: {
      node: node.url,
      federation: node.federationUrl,
      registerCode: null,
      second: null,
      secondRegisterCode: null,
      peers: peerNames,
    },
    listener,
    async stop() {
      listener.close()
      await node.stop()
    },
  }
}
