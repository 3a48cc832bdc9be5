/** The tables of chapter 14, and of the endpoints and rate limits, say what the code does, no more and no less. */
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { clientApi, errcodes, LOGIN_SKEW_MS, serverApi, statusOf } from '../src-shared/api/index.ts'
import * as protocol from '../src-shared/protocol/index.ts'
import { isJsonObject } from '../src-shared/protocol/index.ts'
import type { Json } from '../src-shared/protocol/index.ts'
import { defaultRateLimits, limits } from '../src-homeserver/config.ts'
import { fixtures } from '../fixtures/store.ts'
import { readChapters, tableUnder } from './chapters.ts'

const chapters = readChapters()

function table(file: string, section: string): string[][] {
  const chapter = chapters.find((known) => known.file === file)
  if (chapter === undefined) throw new Error(`there is no chapter ${file}`)
  return tableUnder(chapter, section)
}

const codes = (cell: string | undefined): string[] =>
  [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '')

/** Every text that a type called `…Code` of the protocol allows. */
function protocolCodes(): Set<string> {
  const file = join(import.meta.dirname, '..', 'src-shared', 'protocol', 'index.ts')
  const program = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: [],
  })
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(file)
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source)
  if (module === undefined) throw new Error('the protocol has no entry')
  const found = new Set<string>()
  for (const exported of checker.getExportsOfModule(module)) {
    if (!exported.name.endsWith('Code')) continue
    const alias = (exported.flags & ts.SymbolFlags.Alias) !== 0
    const symbol = alias ? checker.getAliasedSymbol(exported) : exported
    const type = checker.getDeclaredTypeOfSymbol(symbol)
    for (const part of type.isUnion() ? type.types : [type])
      if (part.isStringLiteral()) found.add(part.value)
  }
  return found
}

describe('the codes of the protocol', () => {
  it('are those that its types allow', () => {
    const listed = table('14-codes-and-limits.md', '14.1').flatMap(([cell]) => codes(cell))
    expect(new Set(listed).size).toBe(listed.length)
    const known = protocolCodes()
    expect(known.size).toBeGreaterThan(100)
    expect(listed.toSorted()).toEqual([...known].sort())
  })
})

describe('the codes of the fixtures', () => {
  const refusals = table('14-codes-and-limits.md', '14.1').flatMap(([cell]) => codes(cell))
  const verdicts = table('14-codes-and-limits.md', '14.4').map(([code, sections = '']) => ({
    code: codes(code)[0] ?? '',
    sections: sections.split(', '),
  }))
  // Those of whole cases, and those of steps in a transcript.
  const given = fixtures.flatMap(({ cases }) =>
    cases.flatMap(({ section, error, expect: result, input }) =>
      [
        ...(error === undefined ? [] : [error]),
        ...errorsIn(result ?? null),
        ...errorsIn(input['before'] ?? null),
      ].map((code) => ({ code, section })),
    ),
  )

  it('stand all in the tables', () => {
    const listed = new Set([...refusals, ...verdicts.map(({ code }) => code)])
    expect(given.length).toBeGreaterThan(1000)
    expect(given.filter(({ code }) => !listed.has(code))).toEqual([])
  })

  it('are in one table only', () => {
    expect(verdicts.filter(({ code }) => refusals.includes(code))).toEqual([])
    expect(new Set(verdicts.map(({ code }) => code)).size).toBe(verdicts.length)
  })

  it('stand there, where they are verdicts, with the sections that give them', () => {
    for (const { code, sections } of verdicts) {
      const cited = given.filter((one) => one.code === code).map(({ section }) => section)
      expect([code, [...new Set(cited)].sort()]).toEqual([code, sections.toSorted()])
    }
  })
})

/** Every `error` within a value. */
function errorsIn(value: Json): string[] {
  if (typeof value !== 'object' || value === null) return []
  const own = isJsonObject(value) && typeof value['error'] === 'string' ? [value['error']] : []
  return [...own, ...Object.values(value).flatMap((item: Json) => errorsIn(item))]
}

describe('the codes of the client API', () => {
  it('have the status that the node answers with', () => {
    const listed = table('14-codes-and-limits.md', '14.2').map(([code, status]) => [
      codes(code)[0],
      Number(status),
    ])
    expect(Object.fromEntries(listed)).toEqual(statusOf)
    expect(listed.map(([code]) => code)).toEqual([...errcodes])
  })

  it('and the endpoints are those of the contract', () => {
    const token = { none: 'none', any_device: 'any', active_device: 'full' } as const
    const listed = table('10-client-api.md', '10.12').map(
      ([name, method, path, auth, body, own]) => [
        codes(name)[0],
        method,
        `/_eccp/client/v1${codes(path)[0] ?? ''}`,
        auth,
        Number(body),
        codes(own),
      ],
    )
    expect(listed).toEqual(
      Object.entries(clientApi).map(([name, { method, path, auth, maxBytes, errors }]) => [
        name,
        method,
        path,
        token[auth],
        maxBytes,
        [...errors],
      ]),
    )
  })

  it('and those between nodes are those of their contract', () => {
    const listed = table('15-federation.md', '15.10').map(
      ([name, method, path, signed, body, answer]) => [
        codes(name)[0],
        method,
        `/_eccp/federation/v1${codes(path)[0] ?? ''}`,
        signed === 'yes',
        Number(body),
        Number(answer),
      ],
    )
    expect(listed).toEqual(
      Object.entries(serverApi).map(([name, { method, path, signed, maxBytes, maxAnswer }]) => [
        name,
        method,
        path,
        signed,
        maxBytes,
        maxAnswer,
      ]),
    )
  })
})

describe('the limits', () => {
  it('are those that the code keeps', () => {
    const kept: Readonly<Record<string, number>> = {
      'nesting of JSON': protocol.MAX_JSON_DEPTH,
      'server name, characters': protocol.MAX_SERVER_NAME,
      'manifest entry': protocol.MAX_ENTRY_BYTES,
      'entries of a log': protocol.MAX_MANIFEST_ENTRIES,
      'active devices of an account': protocol.MAX_ACTIVE_DEVICES,
      'prekey lifetime': protocol.PREKEY_LIFETIME,
      'prekey retention': protocol.PREKEY_RETENTION,
      'one-time prekeys in stock, by default': protocol.PREKEY_STOCK,
      'steps ahead in a chain': protocol.MAX_FORWARD_STEPS,
      'skipped keys of a chain': protocol.MAX_SKIPPED_PER_CHAIN,
      'skipped keys of a session': protocol.MAX_SKIPPED_PER_SESSION,
      'sessions with one device': protocol.MAX_SESSIONS,
      'envelope: header and body': protocol.MAX_ENVELOPE_SIZE,
      'event on the wire': protocol.MAX_PDU_BYTES,
      prev_events: protocol.MAX_PREV_EVENTS,
      auth_events: protocol.MAX_AUTH_EVENTS,
      'sequence numbers remembered of a device': protocol.SEQUENCE_WINDOW,
      'devices for pairwise transport': protocol.MAX_PAIRWISE_DEVICES,
      'messages of a chain': protocol.MAX_CHAIN_MESSAGES,
      'age of a chain': protocol.MAX_CHAIN_AGE,
      'chains received from one device in a room': protocol.MAX_RECEIVING_CHAINS,
      'skipped keys of received chains': protocol.MAX_SKIPPED_CHAIN_KEYS,
      power: protocol.MAX_POWER,
      'devices of a roster': protocol.MAX_ROSTER_DEVICES,
      'login proof: clock difference': LOGIN_SKEW_MS,
      'sync timeout': limits.sync_timeout_ms,
      'largest request': limits.request_bytes,
      attachment: protocol.MAX_ATTACHMENT_BYTES,
      'chunk of an attachment': protocol.CHUNK_BYTES,
      'recovery words': protocol.RECOVERY_WORD_COUNT,
      'wait of a recovery request': protocol.RECOVERY_WAIT,
      'pause after a veto': protocol.VETO_PAUSE,
      'wait of a recovery key replaced by a device alone': protocol.REPLACEMENT_WAIT,
      'time to contest a removal': protocol.CONTEST_WINDOW,
      'epoch document': protocol.MAX_EPOCH_DOCUMENT,
      'archive segment': protocol.MAX_SEGMENT_BYTES,
      'records of a segment': protocol.MAX_SEGMENT_RECORDS,
      'least padded size': protocol.MIN_PADDED_SIZE,
    }
    const listed = table('14-codes-and-limits.md', '14.3').map(
      ([name = '', value = '']) => [name, Number(value.replaceAll(',', ''))] as const,
    )
    expect(Object.fromEntries(listed)).toEqual(kept)
  })

  it('announced by the node are not above them', () => {
    expect(limits).toMatchObject({
      envelope_bytes: protocol.MAX_ENVELOPE_SIZE,
      pairwise_devices: protocol.MAX_PAIRWISE_DEVICES,
      active_devices: protocol.MAX_ACTIVE_DEVICES,
    })
    const largest = Math.max(...Object.values(clientApi).map(({ maxBytes }) => maxBytes))
    expect(limits.request_bytes).toBe(largest)
  })

  it('of rate are the defaults of the node', () => {
    const { register, login, claimKeys, send, device, address, oneTimePrekeys } = defaultRateLimits
    const listed = table('10-client-api.md', '10.11').map(([, max, time = '']) => [
      Number(max),
      Number.parseInt(time, 10) * 60_000,
    ])
    expect(listed).toEqual(
      [register, login, claimKeys, send, device, address, oneTimePrekeys].map(
        ({ max, windowMs }) => [max, windowMs],
      ),
    )
  })
})
