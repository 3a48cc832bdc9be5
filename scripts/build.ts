/** `npm run build`: builds the desktop app into out/. */
import { buildDesktop } from './setup/build.ts'

process.exit((await buildDesktop({ force: true })) ? 0 : 1)
