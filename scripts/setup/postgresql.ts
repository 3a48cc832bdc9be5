/**
 * Tests run on PostgreSQL as well. Where it is missing and can be had (as root on Debian or Ubuntu) it is
 * installed, without a cluster of its own: the tests bring up theirs, in a temporary folder.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { findPostgres } from '../../src-homeserver/testing/postgresql.ts'
import { run } from './run.ts'

const CLUSTERS = '/etc/postgresql-common/createcluster.conf'

/** Why there is none; null where there is. */
export async function preparePostgres(): Promise<string | null> {
  const found = findPostgres()
  if (!('missing' in found)) return null
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return found.missing
  console.log(`${found.missing}. Installing the package postgresql, which the tests need …`)
  for (const step of [
    () => apt('update', '-qq'),
    () => apt('install', '-y', '-qq', '--no-install-recommends', 'postgresql-common'),
    async () => noClusterOfItsOwn(),
    () => apt('install', '-y', '-qq', '--no-install-recommends', 'postgresql'),
  ]) {
    const failed = await step()
    if (failed !== null) return `${found.missing}, and ${failed}`
  }
  const now = findPostgres()
  return 'missing' in now ? now.missing : null
}

async function apt(...args: readonly string[]): Promise<string | null> {
  const { code, output } = await run('apt-get', args, {
    capture: true,
    env: { DEBIAN_FRONTEND: 'noninteractive' },
  })
  if (code === 0) return null
  console.log(output.trim())
  return `apt-get ${args[0] ?? ''} failed`
}

function noClusterOfItsOwn(): null {
  const text = readFileSync(CLUSTERS, 'utf8')
  if (!/^create_main_cluster\s*=/m.test(text))
    writeFileSync(CLUSTERS, `${text.trimEnd()}\ncreate_main_cluster = false\n`)
  return null
}
