/** A node inside the test's own process, on a free port and, unless told otherwise, a folder of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaults } from '../config.ts'
import type { NodeConfig } from '../config.ts'
import { realWorld } from '../context.ts'
import type { World } from '../context.ts'
import { startRunning } from '../node.ts'
import type { RunningNode } from '../node.ts'
import { databaseOf, giveDatabaseBack, takeDatabase } from './database.ts'

export interface TestNode extends RunningNode {
  readonly dataDir: string
  readonly serverName: string
}

export interface StartOptions extends Partial<NodeConfig> {
  readonly world?: Partial<World>
}

/** Without rate limits, with the cheapest password hashes, and every answer checked against its schema. */
export async function startNode(options: StartOptions = {}): Promise<TestNode> {
  const { world, ...given } = options
  const dataDir = given.dataDir ?? mkdtempSync(join(tmpdir(), 'eccp-node-'))
  const own = given.database === undefined && given.dataDir === undefined
  const database = own ? await takeDatabase() : (given.database ?? (await databaseOf(dataDir)))
  const config: NodeConfig = {
    ...defaults,
    database,
    serverName: 'node.test',
    rateLimits: null,
    passwordCost: { memoryCost: 64, timeCost: 1 },
    logLevel: 'error',
    checkAnswers: true,
    ...given,
    dataDir,
  }
  const node = await startRunning(config, { ...realWorld, ...world })
  return {
    ...node,
    dataDir,
    serverName: config.serverName,
    async stop() {
      await node.stop()
      if (own) giveDatabaseBack(database)
      if (given.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
