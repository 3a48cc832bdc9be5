import { describe, expect, it } from 'vitest'
import {
  canonicalBytes,
  labelledHash,
  LABELS,
  parseJsonObject,
  toBase64Url,
  toUtf8,
} from '../encoding/index.ts'
import type { Json, JsonObject } from '../encoding/index.ts'
import { bodyHash, envelopeId, headerBytes, readHeader } from '../envelope/index.ts'
import { checkAgainstAuthEvents, verifyDeviceSignature } from './accept.ts'
import { memberPowerBody, nameBody } from './builders.ts'
import {
  arrivedHeader,
  clearBody,
  decodePdu,
  encodePdu,
  eventId,
  isRedactable,
  isState,
  makeEvent,
  MAX_PDU_BYTES,
  originTsAfter,
  readContent,
  redact,
  signEvent,
  verifyEventSignature,
} from './event.ts'
import type { DecodeErrorCode, RoomEvent } from './event.ts'
import {
  act,
  attempt,
  bringIn,
  createLab,
  foundRoom,
  place,
  say,
  sealMessage,
  stateNow,
} from './testing/lab.ts'

const lab = createLab()
const { crypto } = lab
const alice = lab.person('alice', 'a.example')
const bob = lab.person('bob', 'b.example')
const room = foundRoom(lab, alice)
bringIn(room, alice, bob)
const message = say(room, bob)
const create = [...room.events.values()].find(({ header }) => header.room === '') ?? message
const name = act(room, alice, nameBody('Name'))

/** The wire form with parts of it changed; ids are set right again where asked. */
function changed(
  from: RoomEvent,
  change: (pdu: Record<string, Json>, event: Record<string, Json>) => void,
): Json {
  const pdu = { ...parseJsonObject(encodePdu(from.pdu), { maxBytes: MAX_PDU_BYTES }) }
  const event = { ...(pdu['event'] as JsonObject) }
  pdu['event'] = event
  change(pdu, event)
  return pdu
}

function expectRefused(input: Json | Uint8Array, code: DecodeErrorCode): void {
  expect(decodePdu(crypto, input)).toEqual({ ok: false, code })
}

describe('the header of a decoded message', () => {
  const decoded = decodePdu(crypto, encodePdu(message.pdu))
  if (!decoded.ok) throw new Error(decoded.code)
  const { event } = decoded
  const never = {
    ...crypto,
    sha256: () => {
      throw new Error('hashed again')
    },
  }

  it('is read once, whoever asks', () => {
    const read = readHeader(never, arrivedHeader(event))
    expect(read.ok && read.id).toBe(message.envelopeId)
    expect(read.ok && read.known.header).toEqual(message.header)
    expect(verifyDeviceSignature(crypto, event, stateNow(room))).toBe(true)
  })

  it('is that of the event at hand, not of the one it was made from', () => {
    const other = { ...event, header: { ...event.header, ts: event.header.ts + 1 } }
    const read = readHeader(crypto, arrivedHeader(other))
    expect(read.ok && read.id).toBe(envelopeId(crypto, other.header))
    expect(verifyDeviceSignature(crypto, other, stateNow(room))).toBe(false)
  })
})

describe('the wire form', () => {
  it('comes back as it went out', () => {
    for (const event of room.events.values()) {
      const bytes = encodePdu(event.pdu)
      expect(decodePdu(crypto, bytes)).toEqual({ ok: true, event })
      expect(encodePdu(event.pdu)).toEqual(bytes)
    }
  })

  it('has ids that cover every field that arrived, unknown ones included', () => {
    const known = decodePdu(
      crypto,
      changed(message, () => undefined),
    )
    const extended = decodePdu(
      crypto,
      changed(message, (_, event) => (event['x'] = 'kept')),
    )
    if (!known.ok || !extended.ok) throw new Error('refused')
    expect(known.event.id).toBe(message.id)
    expect(extended.event.id).not.toBe(message.id)
    expect(encodePdu(extended.event.pdu)).not.toEqual(encodePdu(message.pdu))
    expect(verifyEventSignature(crypto, known.event.pdu, lab.nodePublicKey('b.example'))).toBe(true)
    expect(verifyEventSignature(crypto, extended.event.pdu, lab.nodePublicKey('b.example'))).toBe(
      false,
    )
  })

  it('is refused with a body that is not the one the header names', () => {
    expectRefused(
      changed(message, (pdu) => (pdu['body'] = toBase64Url(toUtf8('other')))),
      'wrong_body',
    )
  })

  it('is taken without its body, but never a create event', () => {
    const bare = decodePdu(
      crypto,
      changed(message, (pdu) => (pdu['body'] = null)),
    )
    expect(bare.ok && bare.event).toMatchObject({ id: message.id, body: null })
    expectRefused(
      changed(create, (pdu) => (pdu['body'] = null)),
      'body_missing',
    )
  })

  it('is refused with another envelope than the event names', () => {
    expectRefused(
      changed(message, (pdu) => (pdu['envelope'] = { ...(pdu['envelope'] as JsonObject), seq: 9 })),
      'wrong_envelope_id',
    )
    expectRefused(
      changed(message, (_, event) => (event['envelope_id'] = name.envelopeId)),
      'wrong_envelope_id',
    )
  })

  it('is refused without the device’s signature, or with one on a node’s envelope', () => {
    expectRefused(
      changed(message, (pdu) => (pdu['envelope_sig'] = null)),
      'bad_shape',
    )
    const roster = [...room.events.values()].find(({ header }) => header.device === null)
    if (roster === undefined) throw new Error('no roster')
    expectRefused(
      changed(roster, (pdu) => (pdu['envelope_sig'] = message.pdu.envelope_sig)),
      'bad_shape',
    )
  })

  it('is refused with parents or auth events out of order, repeated or too many', () => {
    const [a, b] = message.pdu.event.auth_events
    if (a === undefined || b === undefined) throw new Error('too few')
    for (const list of [[b, a], [a, a], Array.from({ length: 11 }, (_, i) => idOf(i)).sort()])
      expectRefused(
        changed(message, (_, event) => (event['auth_events'] = list)),
        'bad_shape',
      )
    const parents = Array.from({ length: 21 }, (_, i) => idOf(i)).sort()
    expectRefused(
      changed(message, (_, event) => (event['prev_events'] = parents)),
      'bad_shape',
    )
  })

  it('is refused when malformed, of the wrong types, ambiguous or oversized', () => {
    expectRefused(toUtf8('{'), 'bad_json')
    expectRefused(null, 'bad_shape')
    expectRefused([], 'bad_shape')
    expectRefused(toUtf8('{"event":1,"event":2}'), 'duplicate_key')
    expectRefused(new Uint8Array(MAX_PDU_BYTES + 1), 'too_large')
    expectRefused(
      changed(message, (pdu) => (pdu['x'] = 'x'.repeat(MAX_PDU_BYTES))),
      'too_large',
    )
    for (const key of ['event', 'event_sig', 'envelope', 'envelope_sig', 'body'])
      for (const value of [undefined, 7, 'x=', {}])
        expect(decodePdu(crypto, withField(key, value))).toMatchObject({ ok: false })
    expectRefused(
      changed(message, (_, event) => (event['origin_ts'] = -1)),
      'bad_shape',
    )
  })

  it('is refused with header and body above the limit together', () => {
    const body = new Uint8Array(64 * 1024)
    const header = { ...message.header, body_hash: bodyHash(crypto, body) }
    expectRefused(
      changed(message, (pdu, event) => {
        pdu['envelope'] = header
        pdu['body'] = toBase64Url(body)
        event['envelope_id'] = envelopeId(crypto, header)
      }),
      'too_large',
    )
  })

  it('is refused with a clear body that is not one canonical JSON object', () => {
    for (const text of ['{"name": "x"}', '["x"]', '{"name":1.5}', 'x']) {
      const body = toUtf8(text)
      const header = { ...name.header, body_hash: bodyHash(crypto, body) }
      expectRefused(
        changed(name, (pdu, event) => {
          pdu['envelope'] = header
          pdu['body'] = toBase64Url(body)
          event['envelope_id'] = envelopeId(crypto, header)
        }),
        'bad_body',
      )
    }
  })

  it('is refused without a room, and a create event in one', () => {
    for (const [event, id] of [
      [message, ''],
      [create, message.roomId],
    ] as const)
      expectRefused(withHeader(event, { room: id }), 'bad_shape')
  })

  it('is refused with a create body that does not fit its schema', () => {
    for (const content of [{}, { version: '1' }])
      expectRefused(withBody(create, canonicalBytes(content)), 'bad_body')
    // Of any other type the rules say so, not the decoder.
    expect(decodePdu(crypto, withBody(name, canonicalBytes({ name: 7 })))).toMatchObject({
      ok: true,
    })
  })

  it('has an opaque body where the envelope is not in the clear', () => {
    const decoded = decodePdu(crypto, withBody(message, toUtf8('{"name":"x"}')))
    if (!decoded.ok) throw new Error(decoded.code)
    expect(clearBody(decoded.event)).toBeNull()
    expect(clearBody(name)).toEqual({ name: 'Name' })
    expect(clearBody(redact(name))).toBeNull()
  })

  it('names the key of its signature in up to 64 plain characters', () => {
    const withKeyId = (id: string) =>
      decodePdu(
        crypto,
        changed(message, (pdu) => (pdu['event_sig'] = { ...message.pdu.event_sig, key_id: id })),
      ).ok
    const most = 'k'.repeat(64)
    expect(['a', 'ed25519:1', 'A.b_c-9:Z', most].map(withKeyId)).toEqual(Array(4).fill(true))
    const bad = ['', `${most}k`, 'a b', 'ä', 'a/b', 'a\n']
    expect(bad.map(withKeyId)).toEqual(bad.map(() => false))
  })

  it('fits its bounds to the byte, as bytes and as a value', () => {
    const padded = (length: number) =>
      changed(message, (_, event) => (event['x'] = 'x'.repeat(length)))
    const room = MAX_PDU_BYTES - canonicalBytes(padded(0)).length
    for (const form of [(value: Json) => value, canonicalBytes]) {
      expect(decodePdu(crypto, form(padded(room)))).toMatchObject({ ok: true })
      expectRefused(form(padded(room + 1)), 'too_large')
    }
    const most = 64 * 1024 - headerBytes(message.header).length
    expect(decodePdu(crypto, withBody(message, new Uint8Array(most)))).toMatchObject({ ok: true })
    expectRefused(withBody(message, new Uint8Array(most + 1)), 'too_large')
  })

  it('is refused by nothing but what arrived: a fault of the adapter stays a fault', () => {
    const broken = {
      ...crypto,
      sha256: (): Uint8Array => {
        throw new Error('broken')
      },
    }
    expect(() => decodePdu(broken, encodePdu(message.pdu))).toThrow('broken')
  })

  function withHeader(from: RoomEvent, changes: object): Json {
    const header = { ...from.header, ...changes }
    return changed(from, (pdu, event) => {
      pdu['envelope'] = header
      event['envelope_id'] = envelopeId(crypto, header)
    })
  }

  function withBody(from: RoomEvent, body: Uint8Array): Json {
    const header = withHeader(from, { body_hash: bodyHash(crypto, body) })
    return { ...(header as JsonObject), body: toBase64Url(body) }
  }

  function withField(key: string, value: Json | undefined): Json {
    return changed(message, (pdu) => {
      if (value === undefined) Reflect.deleteProperty(pdu, key)
      else pdu[key] = value
    })
  }
})

describe('an event made by its origin', () => {
  it('carries sorted, distinct parents and a signature over all of it', () => {
    const sealed = sealMessage(lab, bob, stateNow(room))
    const ids = [idOf(2), idOf(1), idOf(2)]
    const event = makeEvent(crypto, {
      envelope: sealed.header,
      body: sealed.body,
      sig: sealed.sig,
      prevEvents: ids,
      authEvents: ids,
      origin: 'b.example',
      originTs: 5,
      nodeKey: lab.nodeKey('b.example'),
    })
    expect(event.pdu.event.prev_events).toEqual([idOf(1), idOf(2)].sort())
    expect(event.id).toBe(eventId(crypto, event.pdu.event))
    const key = lab.nodePublicKey('b.example')
    expect(verifyEventSignature(crypto, event.pdu, key)).toBe(true)
    const later = { ...event.pdu, event: { ...event.pdu.event, origin_ts: 6 } }
    expect(verifyEventSignature(crypto, later, key)).toBe(false)
    expect(signEvent(crypto, event.pdu.event, lab.nodeKey('b.example'))).toEqual(
      event.pdu.event_sig,
    )
  })

  it('is not made from a body that does not belong to the envelope', () => {
    const sealed = sealMessage(lab, bob, stateNow(room))
    const wrong = { ...sealed, body: toUtf8('other') }
    expect(() => place(room, wrong, 'b.example')).toThrow('room: bad_event')
  })

  it('is identified by the labelled hash of the event as it stands', () => {
    const bytes = canonicalBytes(message.pdu.event as Json)
    expect(message.id).toBe(`$${toBase64Url(labelledHash(crypto, LABELS.event, bytes))}`)
    expect(message.envelopeId).toBe(envelopeId(crypto, message.header))
  })

  it('is never dated before its parents', () => {
    const [early, late] = [5, 9].map((origin_ts) => ({
      ...message,
      pdu: { ...message.pdu, event: { ...message.pdu.event, origin_ts } },
    }))
    if (early === undefined || late === undefined) throw new Error('none')
    expect(originTsAfter(1, [early, late])).toBe(9)
    expect(originTsAfter(1, [late, early])).toBe(9)
    expect(originTsAfter(7, [early])).toBe(7)
    expect(originTsAfter(5, [])).toBe(5)
    expect(originTsAfter(5, [message])).toBe(message.pdu.event.origin_ts)
    expect(originTsAfter(Number.MAX_SAFE_INTEGER, [message])).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe('auth events', () => {
  const event = attempt(room, alice, memberPowerBody(stateNow(room), bob.member, 10))
  const auth = event.pdu.event.auth_events.flatMap((id) => room.events.get(id) ?? [])

  it('suffice to check keys, rules and the device’s signature', () => {
    expect(checkAgainstAuthEvents(crypto, event, auth)).toEqual({ ok: true })
  })

  it('must be the ones named, one for each key, all of them state', () => {
    const refused = { ok: false, code: 'wrong_auth_events' }
    expect(checkAgainstAuthEvents(crypto, event, auth.slice(1))).toEqual(refused)
    expect(checkAgainstAuthEvents(crypto, event, [...auth, message])).toEqual(refused)
    const twice = [...room.events.values()].filter(({ header }) => header.type === 'e.room.name')
    expect(twice).toHaveLength(2)
    const auth_events = twice.map(({ id }) => id).sort()
    const named = { ...event.pdu, event: { ...event.pdu.event, auth_events } }
    expect(checkAgainstAuthEvents(crypto, { ...event, pdu: named }, twice)).toEqual(refused)
  })
})

describe('redaction', () => {
  it.each([
    ['e.room.create', false],
    ['e.room.member', false],
    ['e.room.roster', false],
    ['e.room.power', false],
    ['e.room.join_rules', false],
    ['e.room.history_visibility', false],
    ['e.room.grant', false],
    ['e.redaction', false],
    ['e.message', true],
    ['e.room.name', true],
    ['e.room.topic', true],
    ['e.room.avatar', true],
    ['e.space.child', true],
    ['x.anything', true],
  ])('may take the body of %s: %s', (type, may) => {
    const event = { ...name, header: { ...name.header, type } }
    expect(isRedactable(event)).toBe(may)
    expect(redact(event) === event).toBe(!may)
    expect(redact(event).body === null).toBe(may)
  })

  it('of what is gone already changes nothing', () => {
    const gone = redact(name)
    expect(gone).toMatchObject({ id: name.id, body: null, pdu: { body: null } })
    expect(redact(gone)).toBe(gone)
  })
})

describe('the content of an event', () => {
  it('is that of its own type, where it fits the schema and is there', () => {
    expect(readContent(name, 'e.room.name')).toEqual({ name: 'Name' })
    expect(readContent(name, 'e.room.name')).toBe(readContent(name, 'e.room.name'))
    expect(readContent(name, 'e.room.topic')).toBeNull()
    expect(readContent(redact(name), 'e.room.name')).toBeNull()
    const bad = { ...name, body: canonicalBytes({ name: 7 }) }
    expect(readContent(bad, 'e.room.name')).toBeNull()
    expect(clearBody({ ...name, body: toUtf8('[1]') })).toBeNull()
    expect(clearBody({ ...name, body: toUtf8('{') })).toBeNull()
    expect(clearBody({ ...name, body: toUtf8('{ }') })).toBeNull()
  })

  it('is state where there is a state key', () => {
    expect([message, name, create].map(isState)).toEqual([false, true, true])
  })
})

function idOf(n: number): string {
  return `$${toBase64Url(crypto.sha256(canonicalBytes(n)))}`
}
