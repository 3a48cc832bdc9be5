/** Where things lie in a checkout. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
/** Remembers what was built and tried; may be deleted at any time. */
export const cacheFolder = process.env['ECCP_CACHE_FOLDER'] ?? join(root, '.cache')
export const artefactsFolder = join(root, 'artefacts')
export const mainEntry = join(root, 'out', 'main', 'index.js')
export const hostExecutable = join(root, 'host', 'electron')

/** The entry point of an installed package's command, to be run with this very Node. */
export function toolPath(relative: string): string {
  return join(root, 'node_modules', relative)
}
