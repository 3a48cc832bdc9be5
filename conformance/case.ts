/** What a case of the suite is: one promise of the draft, and how to see whether a node keeps it. */
import type { Needs, Setting } from './setting.ts'

export const parts = ['client', 'federation', 'hostile'] as const
export type Part = (typeof parts)[number]

export interface Case extends Needs {
  /** A sentence whose subject is the node. */
  readonly name: string
  /** The section of the draft that promises it, such as `15.3`. */
  readonly section: string
  /** Waits for the node's own deadlines, or says very much; left out of a quick run. */
  readonly slow?: boolean
  /**
   * Guards of this repository's node (`src-homeserver/guards.ts`), all of which are taken from it at once: without
   * them the case must fail. Every case against a hostile peer has some. The suite itself knows no guard.
   */
  readonly without?: readonly string[]
  run(setting: Setting): Promise<void>
}

export type HostileCase = Case & Required<Pick<Case, 'without' | 'peers'>>
