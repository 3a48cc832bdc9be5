/** Whom a person means: a user id, a bare name on the own server, or an invitation link that pins keys. */
import { isFingerprint, parseUserId } from '../../protocol/index.ts'
import { EngineError } from '../errors.ts'

export interface Who {
  readonly userId: string
  readonly name: string
  readonly server: string
  /** From an invitation link: the account that must answer to this user id. */
  readonly fingerprint: string | null
}

const LINK = /^eccp:invite\/([^?]+)\?fp=([A-Za-z0-9_-]{43})$/

export function invitationLink(userId: string, fingerprint: string): string {
  return `eccp:invite/${userId}?fp=${fingerprint}`
}

/** Throws `EngineError('bad_input')`. */
export function parseWho(text: string, ownServer: string): Who {
  const trimmed = text.trim()
  const [, linked, fingerprint] = LINK.exec(trimmed) ?? []
  const said = linked === undefined ? trimmed : decoded(linked)
  // As an e-mail address is written; no name and no server holds an @.
  const [, name, server] = /^([^@:]+)@([^@]+)$/.exec(said) ?? []
  const plain = name === undefined || server === undefined ? said : `${name}:${server}`
  const named = plain.startsWith('@') ? plain : `@${plain}`
  const userId = (named.includes(':') ? named : `${named}:${ownServer}`).toLowerCase()
  const parsed = parseUserId(userId)
  if (parsed === null || (fingerprint !== undefined && !isFingerprint(fingerprint)))
    throw new EngineError('bad_input')
  return { userId, ...parsed, fingerprint: fingerprint ?? null }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new EngineError('bad_input')
  }
}
