/** The `process` object of a sandboxed preload. */
import type { PageConfig } from './page/dom.ts'

export function pageProcess(additionalArguments: string[]): PageConfig['process'] {
  const versions: Record<string, string> = {}
  for (const [name, version] of Object.entries(process.versions)) {
    if (version !== undefined) versions[name] = version
  }
  const mode = process.env['NODE_ENV']
  return {
    platform: process.platform,
    arch: process.arch,
    versions,
    argv: [process.execPath, ...additionalArguments],
    env: mode === undefined ? {} : { NODE_ENV: mode },
  }
}
