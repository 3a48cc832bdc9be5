/** How the personal node is run: by this app's own executable as plain Node, or as ECCP_NODE says. */
import type { NodeProgram } from './personal-node.ts'

export function nodeProgramOf(input: {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly execPath: string
  /** The node's built entry. */
  readonly entry: string
}): NodeProgram {
  return {
    command: input.execPath,
    args: [input.env['ECCP_NODE_ENTRY'] ?? input.entry],
    // Electron's own switch; plain Node does not know it.
    env: { ELECTRON_RUN_AS_NODE: '1' },
  }
}
