/** How main makes engines: the engine's own entrances as one value, so that tests can put others there. */
import { createAccount, openAccount, prepareAccount, signIn } from '../src-shared/client/index.ts'
import type { AccountDraft, Engine, EngineChange, EnginePorts } from '../src-shared/client/index.ts'

export type { AccountDraft, Engine, EngineChange, EnginePorts }

export interface EngineFactory {
  prepare(ports: Pick<EnginePorts, 'random' | 'crypto'>): AccountDraft
  create(
    ports: EnginePorts,
    draft: AccountDraft,
    input: {
      readonly serverName: string
      readonly name: string
      readonly password: string
      readonly displayName: string
      readonly deviceName: string
      readonly registrationToken: string | null
    },
  ): Promise<Engine>
  signIn(
    ports: EnginePorts,
    input: {
      readonly serverName: string
      readonly name: string
      readonly password: string
      readonly deviceName: string
    },
  ): Promise<Engine>
  open(ports: EnginePorts): Promise<Engine>
}

export const engineFactory: EngineFactory = {
  prepare: prepareAccount,
  create: createAccount,
  signIn,
  open: openAccount,
}
