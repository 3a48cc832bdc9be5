/** Recovery words made for accounts about to be created. They live in memory until then, and no longer. */
import type { Random } from '../../src-shared/client/index.ts'
import type { CallOutput } from '../../src-shared/ipc/index.ts'
import { toBase64Url } from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import { AppError } from '../app-error.ts'
import type { AccountDraft, EngineFactory } from '../engine-port.ts'

/** Someone who starts over a few times still finds the last words valid. */
const MAX_DRAFTS = 4

export class Drafts {
  readonly #o: { engines: EngineFactory; random: Random; crypto: Crypto }
  readonly #drafts = new Map<string, AccountDraft>()

  constructor(options: { engines: EngineFactory; random: Random; crypto: Crypto }) {
    this.#o = options
  }

  prepare(): CallOutput<'account.prepare'> {
    const draft = this.#o.engines.prepare(this.#o)
    const ticket = toBase64Url(this.#o.random.bytes(16))
    const [oldest] = this.#drafts.keys()
    if (this.#drafts.size >= MAX_DRAFTS && oldest !== undefined) this.#drafts.delete(oldest)
    this.#drafts.set(ticket, draft)
    return { ticket, words: [...draft.words], confirm: [...draft.confirm] }
  }

  /** The draft, once the asked words were typed. Throws `AppError`: bad_input, wrong_words. */
  confirmed(ticket: string, words: readonly string[]): AccountDraft {
    const draft = this.#drafts.get(ticket)
    if (draft === undefined) throw new AppError('bad_input')
    const isRight = draft.confirm.every(
      (position, index) => draft.words[position] === words[index]?.trim().toLowerCase(),
    )
    if (!isRight) throw new AppError('wrong_words')
    return draft
  }

  forget(ticket: string): void {
    this.#drafts.delete(ticket)
  }
}
