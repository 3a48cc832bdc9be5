/** A node without some of its guards: what the conformance suite must notice. */
import { decodePdu, isJsonObject } from '../../src-shared/protocol/index.ts'
import type { Json } from '../../src-shared/protocol/index.ts'
import { allGuards } from '../guards.ts'
import type { Guards } from '../guards.ts'

export function withoutGuards(names: readonly string[]): Guards {
  const gone = new Set(names)
  return {
    holds: (name, found) => found || gone.has(name),
    decode(crypto, pdu) {
      const decoded = allGuards.decode(crypto, pdu)
      if (decoded.ok || !gone.has(decoded.code) || !isJsonObject(pdu)) return decoded
      // The hash of the body is the only one that can be passed over: ids are what they are.
      const bare = decodePdu(crypto, { ...pdu, body: null })
      if (!bare.ok) return bare
      const body = textOf(pdu['body'])
      return { ...bare, event: { ...bare.event, pdu: { ...bare.event.pdu, body } } }
    },
  }
}

function textOf(json: Json | undefined): string | null {
  return typeof json === 'string' ? json : null
}
