/** With which servers this one speaks: everyone, those listed, or nobody. */
import type { FederationConfig, NodeConfig } from '../config.ts'

interface Asking {
  readonly config: Pick<NodeConfig, 'serverName' | 'federation'>
}

/** Whether `server` is this one, or one that it speaks with. */
export function mayFederate({ config }: Asking, server: string): boolean {
  return server === config.serverName || isAdmitted(config.federation, server)
}

/** Whether another server may ask, and be asked. */
export function isAdmitted({ mode, allow }: FederationConfig, server: string): boolean {
  if (mode === 'open') return true
  return mode === 'allow_list' && allow.includes(server)
}
