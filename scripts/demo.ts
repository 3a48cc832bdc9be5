/** `npm run demo`: two windows side by side, two new accounts, a conversation. */
import { runDemo } from './setup/demo.ts'

process.exit(await runDemo())
