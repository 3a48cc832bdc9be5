/** `npm run demo:federation`: two desktops on two nodes, one of which is killed in the middle. */
import { runFederationDemo } from './setup/demo-federation.ts'

process.exit(await runFederationDemo())
