/**
 * Finds an installed Chromium-family browser. The environment variable
 * `ECCP_CHROMIUM` overrides the search. Knows nothing of how it is started.
 */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface FindOptions {
  env?: Record<string, string | undefined>
  platform?: NodeJS.Platform
  /** True where `path` is a file that may be executed; the default asks the file system. */
  isExecutable?: (path: string) => boolean
}

const LINUX_NAMES = [
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
  'microsoft-edge-stable',
  'microsoft-edge',
  'brave-browser',
]

// Debian's and Ubuntu's wrapper scripts only add flags and some 50 ms.
const LINUX_PATHS = ['/usr/lib/chromium/chromium', '/opt/google/chrome/chrome']

const MAC_APPS = ['Chromium', 'Google Chrome', 'Microsoft Edge', 'Brave Browser']

const WINDOWS_PATHS = [
  'Chromium\\Application\\chrome.exe',
  'Google\\Chrome\\Application\\chrome.exe',
  'Microsoft\\Edge\\Application\\msedge.exe',
]

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function candidates(platform: NodeJS.Platform, env: Record<string, string | undefined>): string[] {
  if (platform === 'darwin') {
    return MAC_APPS.flatMap((name) =>
      ['/Applications', join(env['HOME'] ?? '', 'Applications')].map(
        (folder) => `${folder}/${name}.app/Contents/MacOS/${name}`,
      ),
    )
  }
  if (platform === 'win32') {
    const roots = [env['LOCALAPPDATA'], env['PROGRAMFILES'], env['PROGRAMFILES(X86)']]
    return WINDOWS_PATHS.flatMap((path) =>
      roots.flatMap((root) => (root === undefined ? [] : [`${root}\\${path}`])),
    )
  }
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return [...LINUX_PATHS, ...LINUX_NAMES.flatMap((name) => folders.map((f) => join(f, name)))]
}

/** The path of a browser that can host the app, or null when none is installed. */
export function findChromium(options: FindOptions = {}): string | null {
  const env = options.env ?? process.env
  const isExecutable = options.isExecutable ?? isExecutableFile
  const override = env['ECCP_CHROMIUM']
  if (override !== undefined && override !== '') return isExecutable(override) ? override : null
  return candidates(options.platform ?? process.platform, env).find(isExecutable) ?? null
}
