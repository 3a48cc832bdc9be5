/**
 * `npm run demo:federation`: two desktops on two nodes of different names. In the middle of their
 * conversation one node is killed; what was written meanwhile arrives when it is back.
 */
import { freePort, type NodeProcess } from '../../e2e/driver/node-process.ts'
import { accept, messages, say, sees, startDirect } from '../../e2e/driver/person.ts'
import { all, perform, type DemoStage } from './demo-stage.ts'

const nodes = ['garden.example', 'lake.example'] as const
type ServerName = (typeof nodes)[number]

const people = {
  ada: { name: 'ada', displayName: 'Ada', password: 'a lantern in the reeds' },
  bo: { name: 'bo', displayName: 'Bo', password: 'two herons at the lake' },
} as const

interface Address {
  readonly client: number
  readonly federation: number
}

function start(
  stage: DemoStage,
  serverName: ServerName,
  addresses: ReadonlyMap<ServerName, Address>,
): Promise<NodeProcess> {
  const own = addresses.get(serverName)
  if (own === undefined) throw new Error('a node has no address')
  const peers = [...addresses]
    .filter(([name]) => name !== serverName)
    .map(([name, { federation }]) => [
      name,
      { address: `127.0.0.1:${String(federation)}`, plain_http: true },
    ])
  return stage.node({
    serverName,
    port: own.client,
    env: {
      ECCP_LISTEN: JSON.stringify([
        { type: 'client', port: own.client },
        { type: 'federation', port: own.federation },
      ]),
      ECCP_FEDERATION_MODE: 'open',
      ECCP_FEDERATION_PLAIN_HTTP_ON_LOOPBACK: 'true',
      ECCP_FEDERATION_PEERS: JSON.stringify(Object.fromEntries(peers)),
    },
  })
}

/** The exit code: 0 where both have read every message, once, in the same order. */
export function runFederationDemo(): Promise<number> {
  return perform('demo-federation', async (stage) => {
    const addresses = new Map<ServerName, Address>()
    for (const name of nodes)
      addresses.set(name, { client: await freePort(), federation: await freePort() })
    const [garden, lake] = await all(nodes.map((name) => start(stage, name, addresses)))
    if (garden === undefined || lake === undefined) throw new Error('a node is missing')
    stage.tell(`Two nodes: ${nodes.join(' and ')}`)
    const [ada, bo] = await all([
      stage.window(people.ada, 0, garden.url),
      stage.window(people.bo, 1, lake.url),
    ])
    if (ada === undefined || bo === undefined) throw new Error('a window is missing')
    stage.tell('Accounts: @ada:garden.example and @bo:lake.example')
    await startDirect(ada, '@bo:lake.example')
    stage.tell('Ada invites Bo, who is on the other node')
    await accept(bo, 'Ada')
    stage.tell('Bo accepts')

    const said: string[] = []
    const speak = async (who: 'ada' | 'bo', text: string): Promise<void> => {
      await say(who === 'ada' ? ada : bo, text)
      said.push(text)
      stage.tell(`${people[who].displayName}: ${text}`)
    }
    const arrives = async (): Promise<void> => {
      const text = said.at(-1) ?? ''
      await all([sees(ada, text, 90_000), sees(bo, text, 90_000)])
    }
    await speak('ada', 'My server is in the garden. Where is yours?')
    await arrives()
    await speak('bo', 'By the lake, run by somebody else.')
    await arrives()

    await lake.kill('SIGKILL')
    stage.tell('The node lake.example is killed')
    await speak('ada', 'Written while your node was gone.')
    await speak('ada', 'And one more, before it is back.')
    await speak('bo', 'I write too, and it waits on my desktop.')
    await ada
      .getByRole('img', { name: /^Sent. It waits for lake\.example/ })
      .last()
      .waitFor({ timeout: 60_000 })
    stage.tell('Ada sees that it waits for lake.example')
    await stage.picture('-while-one-node-is-gone')
    await start(stage, 'lake.example', addresses)
    stage.tell('The node lake.example is back')
    for (const text of said.slice(-3))
      await all([sees(ada, text, 120_000), sees(bo, text, 120_000)])
    stage.tell('Everything has arrived on both sides')
    await speak('bo', 'Nothing was lost.')
    await arrives()
    await ada
      .getByRole('img', { name: /^(Delivered to|Read by) Bo/ })
      .last()
      .waitFor({ timeout: 60_000 })
    stage.tell('Ada sees what was delivered to Bo')

    for (const [who, page] of [
      ['Ada', ada],
      ['Bo', bo],
    ] as const)
      for (const text of said) {
        const shown = await messages(page).getByText(text, { exact: true }).count()
        if (shown !== 1) throw new Error(`${who} has a message ${String(shown)} times`)
      }
    stage.tell('Each message is there once, on both desktops')
    await stage.picture('')
  })
}
