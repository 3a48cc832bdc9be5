/**
 * Where things lie. A profile is one independent person: its own folder, key, accounts and windows.
 * The personal node belongs to the computer's user and is shared by all profiles.
 *
 *   <home>/profiles/<name>/   one profile (or the folder given by --user-data-dir)
 *   <home>/node/              the personal node
 *
 * `<home>` is the platform's folder for application data, or ECCP_HOME.
 */
import { join, resolve } from 'node:path'

export interface Paths {
  readonly profile: string
  readonly profileFolder: string
  readonly nodeFolder: string
}

const PROFILE_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/

function optionOf(argv: readonly string[], name: string): string | null {
  const flag = `--${name}`
  for (const [index, argument] of argv.entries()) {
    if (argument.startsWith(`${flag}=`)) return argument.slice(flag.length + 1)
    const next = argv[index + 1]
    if (argument === flag && next !== undefined && !next.startsWith('--')) return next
  }
  return null
}

function defaultHome(
  env: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform,
  userHome: string,
): string {
  switch (platform) {
    case 'darwin':
      return join(userHome, 'Library', 'Application Support', 'PrivChat')
    case 'win32':
      return join(env['LOCALAPPDATA'] ?? join(userHome, 'AppData', 'Local'), 'PrivChat')
    default: {
      const data = env['XDG_DATA_HOME']
      const isSet = data !== undefined && data.startsWith('/')
      return join(isSet ? data : join(userHome, '.local', 'share'), 'PrivChat')
    }
  }
}

/** A profile name that is none is not used as a path: the default profile opens instead. */
export function pathsOf(input: {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
  readonly userHome: string
}): Paths {
  const { argv, env } = input
  const named = optionOf(argv, 'profile')
  const profile = named !== null && PROFILE_NAME.test(named) ? named : 'default'
  const home = env['ECCP_HOME'] ?? defaultHome(env, input.platform, input.userHome)
  const folder = optionOf(argv, 'user-data-dir')
  return {
    profile,
    profileFolder: folder === null ? join(home, 'profiles', profile) : resolve(folder),
    nodeFolder: join(home, 'node'),
  }
}

/** An `eccp:` link among the arguments of a start, as the system passes a clicked link. */
export function linkOf(argv: readonly string[]): string | null {
  return argv.find((argument) => /^eccp:/i.test(argument)) ?? null
}
