/** Links that name a room and servers that are in it (Client API §10.8). */
import { parseRoomId, parseServerName } from '../../protocol/index.ts'
import { EngineError } from '../errors.ts'

const MAX_VIA = 3
const LINK = /^eccp:room\/([^?]+)(?:\?via=(.*))?$/

export interface RoomLink {
  readonly room: string
  /** Never empty: the server in the room's id where nothing else is named. */
  readonly via: readonly string[]
}

export function roomLink(room: string, servers: readonly string[]): string {
  return `eccp:room/${room}?via=${servers.slice(0, MAX_VIA).join(',')}`
}

/** A link, or a room's id alone. Throws `EngineError('bad_input')`. */
export function parseRoomLink(text: string): RoomLink {
  const said = decoded(text.trim())
  const [, linked, list = ''] = LINK.exec(said) ?? []
  const room = linked ?? said
  const hint = parseRoomId(room)?.server
  if (hint === undefined) throw new EngineError('bad_input')
  const named = list.split(',').filter((server) => parseServerName(server) !== null)
  return { room, via: named.length === 0 ? [hint] : named.slice(0, MAX_VIA) }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new EngineError('bad_input')
  }
}
