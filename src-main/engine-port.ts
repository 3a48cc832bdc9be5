import type { AccountDraft } from '../src-shared/client/account/account-draft.ts'
import type { Engine, EngineChange } from '../src-shared/client/engine-types.ts'
import type { EnginePorts } from '../src-shared/client/context.ts'
export type { AccountDraft, Engine, EngineChange, EnginePorts }
export interface EngineFactory {
  prepare(ports: Pick<EnginePorts, 'random' | 'crypto'>): AccountDraft
  create(
    ports: EnginePorts,
    draft: AccountDraft,
    input: {
      serverName: string
      name: string
      password: string
      displayName: string
      deviceName: string
    },
  ): Promise<Engine>
  signIn(
    ports: EnginePorts,
    input: { serverName: string; name: string; password: string; deviceName: string },
  ): Promise<Engine>
  open(ports: EnginePorts): Promise<Engine>
}
const missing = (): never => {
  throw new Error('the engine is not there yet')
}
export const engineFactory: EngineFactory = {
  prepare: missing,
  create: async () => missing(),
  signIn: async () => missing(),
  open: async () => missing(),
}
