/**
 * The host's first code, in plain JavaScript: turns on the compile cache, so that later starts
 * neither strip types nor compile again, and goes on in TypeScript.
 */
import { enableCompileCache } from 'node:module'

enableCompileCache()
const { main } = await import('./boot.ts')
await main(process.argv.slice(2))
