/** `eccp-node`: the process around a node. Ready when it prints `listening on URL`. */
import { writeFileAtomicallySync } from '../src-platform/atomic-file.ts'
import { createNativeCrypto } from '../src-platform/crypto/native-crypto.ts'
import { BackupError, backUp } from './backup.ts'
import { makeRegistrationToken } from './bootstrap.ts'
import { readCommand, usage } from './cli.ts'
import type { Command } from './cli.ts'
import { realWorld } from './context.ts'
import { failure } from './log.ts'
import { startRunning } from './node.ts'
import { InitError, writeConfigFile } from './init-files.ts'
import { rotateNow } from './shared-key.ts'
import { keyFileIn, loadNodeKeys, rotateNodeKey } from './signing-key.ts'
import { lockFolder, openStorage, StorageError } from './storage/index.ts'

const WRONG_USAGE = 64
const NO_ROOM =
  'the disk is full, or the database has reached its limit; nothing is lost: make room and try again'

// What the node writes is for its owner alone.
process.umask(0o077)

async function run(command: Command): Promise<void> {
  switch (command.kind) {
    case 'help':
      process.stdout.write(usage)
      return
    case 'wrong':
      process.stderr.write(`eccp-node: ${command.why}\n\n${usage}`)
      process.exitCode = WRONG_USAGE
      return
    case 'rotate_key': {
      const crypto = createNativeCrypto()
      const { random, now } = realWorld
      const { dataDir, keyPath, shared } = command
      const inputs = { crypto, file: keyPath ?? keyFileIn(dataDir), random, now: now() }
      if (shared === null) {
        // A running node would go on signing with the key it has read.
        const unlock = lockFolder(dataDir)
        const keys = rotateNodeKey(inputs)
        unlock()
        process.stdout.write(`${keys.current.keyId}\n`)
        return
      }
      const storage = await openStorage({ folder: dataDir, ...shared })
      try {
        const keys = await rotateNow(storage, inputs)
        process.stdout.write(`${keys.current.keyId}\n`)
      } finally {
        await storage.close()
      }
      return
    }
    case 'init': {
      const crypto = createNativeCrypto()
      const { random, now } = realWorld
      const { file } = writeConfigFile(command.file, command.serverName, (dataDir) =>
        loadNodeKeys({ crypto, file: keyFileIn(dataDir), random, now: now() }),
      )
      process.stdout.write(`wrote ${file}\nnext: eccp-node serve --config ${file}\n`)
      return
    }
    case 'registration_token': {
      const { dataDir: folder, serverName, database, uses } = command
      const storage = await openStorage({ folder, serverName, database, shared: true })
      try {
        const token = await makeRegistrationToken(storage, realWorld, { uses })
        process.stdout.write(`${token}\n`)
      } finally {
        await storage.close()
      }
      return
    }
    case 'backup':
      await backUp(command)
      process.stdout.write(`copied to ${command.to}\n`)
      return
    case 'restored': {
      const { dataDir: folder, serverName, database } = command
      const storage = await openStorage({ folder, serverName, database })
      try {
        await storage.write((tx) => tx.facts.put('copied_at', String(realWorld.now())))
      } finally {
        await storage.close()
      }
      process.stdout.write('next: eccp-node serve\n')
      return
    }
    case 'serve':
      await serve(command)
  }
}

async function serve({ config, portFile }: Extract<Command, { kind: 'serve' }>): Promise<void> {
  const node = await startRunning(config)
  const stop = (): void => {
    node.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        node.context.log.fatal(failure(error), 'stop failed')
        process.exit(1)
      },
    )
  }
  process.on('SIGHUP', () => node.reload())
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  if (node.bootstrapToken !== null)
    process.stdout.write(
      `registration token for the administrator ${config.bootstrapAdmin ?? ''}: ` +
        `${node.bootstrapToken}\n`,
    )
  if (portFile !== null) {
    const [signing] = node.context.keys.published
    const { serverName } = config
    const about = { url: node.url, pid: process.pid, serverName, signingKey: signing?.ed25519 }
    writeFileAtomicallySync(portFile, `${JSON.stringify(about)}\n`)
  }
  if (node.federationUrl !== null) process.stdout.write(`other nodes on ${node.federationUrl}\n`)
  process.stdout.write(`listening on ${node.url}\n`)
}

try {
  await run(readCommand(process.argv.slice(2), process.env))
} catch (error) {
  const why = explain(error)
  process.stderr.write(`eccp-node: ${why}\n`)
  process.exit(1)
}

function explain(error: unknown): string {
  if (error instanceof InitError || error instanceof BackupError) return error.message
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return NO_ROOM
  if (!(error instanceof StorageError)) return String(error)
  switch (error.code) {
    case 'full':
      return NO_ROOM
    case 'no_data':
      return 'there is no database in the data folder'
    case 'in_use':
      return 'another node runs on this data folder'
    case 'newer_schema':
      return 'the data was written by a later version of eccp-node'
    case 'other_server':
      return 'the data belongs to another server name'
    case 'other_key':
      return 'this process has another signing key than those that serve the name; give it their file (security.signing_key_path), or make it the new one with rotate-key'
    case 'older_running':
      return 'processes of an earlier version run on this database; stop them first'
    case 'old_database':
      return `PostgreSQL 15 or later is needed; this is ${error.detail ?? 'older'}`
    case 'bad_encoding':
      return `the database must have the encoding UTF8, and has ${error.detail ?? 'another'}`
    case 'unavailable':
    case 'refused':
      return `the database can not be used (${error.detail ?? 'no answer'})`
    default:
      return error.message
  }
}
