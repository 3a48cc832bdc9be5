/**
 * Every number that the draft promises outside the tables of chapter 14 and of the endpoints: where it stands, in which
 * words, and its value, taken from the code or computed. `npm run spec:numbers` prints them; a test holds the text
 * against them, and finds numbers in the text that are not here.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as protocol from '../src-shared/protocol/index.ts'
import { canonicalBytes, fromHex, isJsonObject, toBase64Url } from '../src-shared/protocol/index.ts'
import type { Json } from '../src-shared/protocol/index.ts'
import { MAX_EVENTS, MAX_ITEMS, NONCE_BYTES, serverApi } from '../src-shared/api/index.ts'
import { LOGIN_SKEW_MS, SERVER_SKEW_MS } from '../src-shared/api/index.ts'
import {
  MAX_ASKED_KEYS,
  MAX_INVITE_STATE,
  MAX_WINDOW_ROOMS,
  syncStream,
} from '../src-shared/api/index.ts'
import { limits } from '../src-homeserver/config.ts'
import { MAX_MARKS } from '../src-homeserver/federation/json-size.ts'
import { FREE_PAGES, LEAST_TOLD, MAX_FETCHED } from '../src-homeserver/federation/fetch-budget.ts'
import { fixtures } from '../fixtures/store.ts'

const root = join(import.meta.dirname, '..')

export interface Quantity {
  readonly section: string
  /** As it stands in the section, the value within. */
  readonly words: string
  readonly value: number
}

type Unit = (value: number) => string

const plain: Unit = (value) => value.toLocaleString('en-US')
const scaled =
  (unit: number): Unit =>
  (value) =>
    plain(value / unit)
const seconds = scaled(1000)
const minutes = scaled(60_000)
const hours = scaled(3_600_000)
const days = scaled(86_400_000)
const kib = scaled(1024)
const mib = scaled(1024 * 1024)
const power: Unit = (value) => `2^${String(Math.log2(value))}`

/** `#` in `words` is the value. */
function say(section: string, words: string, value: number, unit: Unit = plain): Quantity {
  return { section, words: words.replace('#', unit(value)), value }
}

/** The bound of a JSON Schema, `path` by its member names. */
function bound(schema: string, keyword: string, ...path: string[]): number {
  const file = join(root, 'spec', 'schemas', `${schema}.json`)
  let at: Json | undefined = JSON.parse(readFileSync(file, 'utf8')) as Json
  for (const name of [...path, keyword])
    at = Array.isArray(at)
      ? at[Number(name)]
      : isJsonObject(at ?? null)
        ? member(at, name)
        : undefined
  if (typeof at !== 'number') throw new Error(`${schema} has no ${path.join('.')}.${keyword}`)
  return at
}

function member(at: Json | undefined, name: string): Json | undefined {
  return isJsonObject(at ?? null) ? (at as Record<string, Json>)[name] : undefined
}

const properties = (...names: string[]): string[] => names.flatMap((name) => ['properties', name])
const longest = (schema: string, ...names: string[]): number =>
  bound(schema, 'maxLength', ...properties(...names))
const most = (schema: string, ...names: string[]): number =>
  bound(schema, 'maxItems', ...properties(...names))
const greatest = (schema: string, ...names: string[]): number =>
  bound(schema, 'maximum', ...properties(...names))

/** A constant that its module keeps to itself: a product of numbers and of others beside it. */
function kept(path: string, name: string): number {
  const source = readFileSync(join(root, path), 'utf8')
  const text = new RegExp(`^(?:export )?const ${name} = (.+)$`, 'm').exec(source)?.[1]
  if (text === undefined) throw new Error(`${path} has no ${name}`)
  return text
    .split(' * ')
    .map((part) => (/^[0-9_]+$/.test(part) ? Number(part.replaceAll('_', '')) : kept(path, part)))
    .reduce((product, factor) => product * factor, 1)
}

/** The number in the one place of a source file that `pattern` finds. */
function written(path: string, pattern: RegExp): number {
  const found = pattern.exec(readFileSync(join(root, path), 'utf8'))?.[1]
  if (found === undefined) throw new Error(`${path} has nothing like ${String(pattern)}`)
  return Number(found.replaceAll('_', ''))
}

/** Per cent by which padding enlarges content of up to 2^22 bytes at most, beyond the least size. */
export function worstPadding(): { readonly size: number; readonly percent: number } {
  let worst = { size: 0, percent: 0 }
  for (let size: number = protocol.MIN_PADDED_SIZE + 1; size <= 2 ** 22;) {
    const padded = protocol.paddedSize(size)
    const percent = (100 * (padded - size)) / size
    if (percent > worst.percent) worst = { size, percent }
    // The smallest of each step costs most.
    size = padded + 1
  }
  return worst
}

/** A value of a fixture case, by its path. */
function inCase(fixture: string, id: string, ...path: string[]): Json {
  const found = fixtures.find((one) => one.fixture === fixture)?.cases.find((one) => one.id === id)
  let at = found as unknown as Json | undefined
  for (const name of path) at = Array.isArray(at) ? at[Number(name)] : member(at, name)
  if (at === undefined) throw new Error(`${fixture} has no ${id} ${path.join('.')}`)
  return at
}

const canonicalSize = (...where: Parameters<typeof inCase>): number =>
  canonicalBytes(inCase(...where)).length
const size = (...where: Parameters<typeof inCase>): number =>
  fromHex(String(inCase(...where))).length

/** What things take on the wire: canonical bytes of the values in these fixture cases (14.5). */
export function sizes(): readonly {
  readonly what: string
  readonly at: string
  readonly bytes: number
}[] {
  return [
    {
      what: 'prekey bundle, hybrid',
      at: 'prekeys/bundle/whole',
      bytes: canonicalSize('prekeys', 'bundle/whole', 'input', 'bundle'),
    },
    {
      what: 'handshake header, plain',
      at: 'handshake/initiate/plain',
      bytes: canonicalSize('handshake', 'initiate/plain', 'expect', 'header'),
    },
    {
      what: 'handshake header, hybrid',
      at: 'handshake/initiate/hybrid',
      bytes: canonicalSize('handshake', 'initiate/hybrid', 'expect', 'header'),
    },
    {
      what: 'wrap, first of a session',
      at: 'transport/wrap/first',
      bytes: canonicalSize('transport', 'wrap/first', 'input', 'wrap'),
    },
    {
      what: 'header of a message',
      at: 'envelope/seal/text',
      bytes: size('envelope', 'seal/text', 'expect', 'header_bytes'),
    },
    {
      what: 'body of a short message',
      at: 'envelope/seal/text',
      bytes: size('envelope', 'seal/text', 'expect', 'body'),
    },
    {
      what: 'message on the wire',
      at: 'events/decode/message/value',
      bytes: canonicalSize('events', 'decode/message/value', 'input', 'pdu'),
    },
    {
      what: 'receipt',
      at: 'receipts/make-delivered',
      bytes: canonicalSize('receipts', 'make-delivered', 'expect', 'receipt'),
    },
    {
      what: 'manifest entry, genesis',
      at: 'manifest/genesis/one-device',
      bytes: canonicalSize('manifest', 'genesis/one-device', 'input', 'entries', '0', 'entry'),
    },
    {
      what: 'archive segment, signed',
      at: 'archive/segment/open',
      bytes: canonicalSize('archive', 'segment/open', 'input', 'segment'),
    },
  ]
}

const b64 = (bytes: number): number => toBase64Url(new Uint8Array(bytes)).length

/** The longest ratchet chain: a power of two, which stands as such in its module. */
const CHAIN_LENGTH =
  2 ** written('src-shared/protocol/ratchet/header.ts', /MAX_CHAIN_LENGTH = 2 \*\* ([0-9]+)/)
const TAG_BYTES = kept('src-shared/protocol/ratchet/message-key.ts', 'TAG_BYTES')

/** In the order of the draft. */
export function quantities(): readonly Quantity[] {
  const ids = 'src-shared/protocol/encoding/ids.ts'
  const finding = 'src-main/homeserver.ts'
  const windows = 'src-shared/api/sync-windows.ts'
  const housekeeping = 'src-homeserver/housekeeping.ts'
  const directory = 'src-homeserver/federation/directory.ts'
  const outbound = 'src-homeserver/federation/outbound.ts'
  const vouching = 'src-homeserver/federation/vouching.ts'
  const {
    MAX_ENTRY_BYTES,
    MAX_ENVELOPE_SIZE,
    MAX_ACTIVE_DEVICES,
    MAX_CHAIN_MESSAGES,
    MAX_PAIRWISE_DEVICES,
    CONTENT_KEY_BYTES,
  } = protocol
  return [
    say('1.2', 'nested deeper than #,', protocol.MAX_JSON_DEPTH),
    say('1.4', '32 bytes are # characters', b64(32)),
    say('1.4', '64 bytes #,', b64(64)),
    say('1.4', '12 bytes #.', b64(12)),
    say('1.6', 'at most # characters', protocol.MAX_SERVER_NAME),
    say('1.6', '| # characters ', b64(32)),
    say('1.6', '`$` + # characters', b64(32)),
    say('1.6', '| device id              | # characters', b64(12)),
    say('1.6', '| prekey id              | # characters', b64(12)),
    say('2.2', 'MUST NOT exceed # bytes', MAX_ENTRY_BYTES),
    say('2.5', 'at most # may be active', MAX_ACTIVE_DEVICES),
    say('2.5', 'after # days and', protocol.REPLACEMENT_WAIT, days),
    say('2.5', 'after # hours and', protocol.RECOVERY_WAIT, hours),
    say(
      '2.5.3',
      '1 to # ids',
      bound('manifest-entry', 'maxItems', 'oneOf', '2', ...properties('devices')),
    ),
    say(
      '2.5.3',
      'at most # characters',
      bound('manifest-entry', 'maxLength', 'oneOf', '2', ...properties('reason')),
    ),
    say(
      '2.5.8',
      'up to # active devices',
      bound('manifest-entry', 'maxItems', 'oneOf', '7', ...properties('devices')),
    ),
    say(
      '2.5.9',
      '1 to # ids',
      bound('manifest-entry', 'maxItems', 'oneOf', '8', ...properties('devices')),
    ),
    say('2.5.9', 'within # days', protocol.CONTEST_WINDOW, days),
    say('2.6', 'at most # entries', protocol.MAX_MANIFEST_ENTRIES),
    say('2.6', 'at most # bytes', MAX_ENTRY_BYTES),
    say('2.7', 'within # days of a veto', protocol.VETO_PAUSE, days),
    say('2.7', 'a `contest` # days or more', protocol.CONTEST_WINDOW, days),
    say(
      '2.10',
      'mod #, as six digits',
      10 ** kept('src-shared/protocol/pairing/pairing.ts', 'CODE_DIGITS'),
    ),
    say('3.3', 'replaced after # days', protocol.PREKEY_LIFETIME, days),
    say('3.3', 'kept for # more days', protocol.PREKEY_RETENTION, days),
    say('4.5', 'below #', CHAIN_LENGTH, power),
    say('4.6', 'at least # bytes', TAG_BYTES),
    say('4.6', 'at most # characters', longest('ratchet-message', 'ciphertext')),
    say('4.7', 'ends at # messages', CHAIN_LENGTH, power),
    say('4.8', 'more than # ahead', protocol.MAX_FORWARD_STEPS),
    say('4.9', 'At most # skipped keys', protocol.MAX_SKIPPED_PER_CHAIN),
    say('4.9', 'and # a session', protocol.MAX_SKIPPED_PER_SESSION),
    say('4.10', 'At most # are kept', protocol.MAX_SESSIONS),
    say('5.2', 'at most # characters', longest('envelope-header', 'state_key')),
    say('5.2', 'at most # (', most('envelope-header', 'basis')),
    say('5.2', '0 to # (', greatest('envelope-header', 'chain', 'n')),
    say('5.2', 'MUST NOT exceed # bytes', MAX_ENVELOPE_SIZE),
    say('5.6', 'at most # bytes', MAX_ENVELOPE_SIZE),
    say('5.7', 'at most # bytes', MAX_ENVELOPE_SIZE),
    say('5.7', 'up to # fingerprints', most('message-content', 'mentions')),
    say('5.7', 'up to # descriptors', most('message-content', 'attachments')),
    say('5.8', 'of the latest #:', protocol.SEQUENCE_WINDOW),
    say(
      '5.8',
      'at least the latest #',
      kept('src-shared/client/sync/room-intake.ts', 'KEPT_SEQUENCE'),
    ),
    say('5.9', 'at most #;', most('event', 'prev_events')),
    say('5.9', 'at most # ', most('event', 'auth_events')),
    say('5.9', '1 to # characters', written('src-shared/protocol/room/event.ts', /\{1,(64)\}/)),
    say('5.10', 'At most # bytes canonical', protocol.MAX_PDU_BYTES),
    say('5.10', 'at most # bytes', MAX_ENVELOPE_SIZE),
    say(
      '5.13',
      'more than # minutes',
      kept('src-shared/client/timeline/message-reader.ts', 'PLAUSIBLE_SKEW'),
      minutes,
    ),
    say('6.1', 'at most #,', protocol.MAX_ROSTER_DEVICES),
    say('6.3', 'up to **#** recipient devices', MAX_PAIRWISE_DEVICES),
    say('6.3', 'more than # recipient devices', MAX_PAIRWISE_DEVICES),
    say(
      '6.4',
      'at most # bytes',
      kept('src-shared/protocol/transport/pairwise.ts', 'MAX_PLAINTEXT'),
    ),
    say('6.4', 'more than # (', MAX_PAIRWISE_DEVICES),
    say(
      '6.5',
      'at most # bytes',
      kept('src-shared/protocol/transport/to-device.ts', 'MAX_CONTENT'),
    ),
    say(
      '6.5',
      'up to # session ids',
      bound('to-device-content', 'maxItems', 'oneOf', '3', ...properties('lost')),
    ),
    say(
      '6.5',
      'at most # characters',
      bound('to-device-content', 'maxLength', 'oneOf', '5', ...properties('name')),
    ),
    say('6.7.2', 'from 0 to #', MAX_CHAIN_MESSAGES - 1),
    say('6.7.3', '0 to # ', greatest('chain-distribution', 'start')),
    say('6.7.4', '# messages have been sent', MAX_CHAIN_MESSAGES),
    say('6.7.4', 'is # days or more', protocol.MAX_CHAIN_AGE, days),
    say('6.7.5', 'At most # chains', protocol.MAX_RECEIVING_CHAINS),
    say('6.7.5', 'At most # passed-over Ks', protocol.MAX_SKIPPED_CHAIN_KEYS),
    say('7.6', 'at most # characters', longest('body.e.redaction', 'reason')),
    say('8.3.1', 'at most # characters', longest('body.e.room.create', 'version')),
    say('8.3.2', 'at most # characters', longest('body.e.room.member', 'reason')),
    say('8.3.4', 'from 0 to #,', protocol.MAX_POWER),
    say('8.3.7', '`name`, at most # characters', longest('body.e.room.name', 'name')),
    say('8.3.7', '`topic`, at most #;', longest('body.e.room.topic', 'topic')),
    say('8.4', 'has power #,', Number.MAX_SAFE_INTEGER, () => '2^53 − 1'),
    say('8.9', 'at most # of them', protocol.MAX_PREV_EVENTS),
    say('8.14', '| #, 10 ', protocol.MAX_PREV_EVENTS),
    say('8.14', '20, # ', protocol.MAX_AUTH_EVENTS),
    say('8.14', '| `basis`                      | # ', most('envelope-header', 'basis')),
    say('8.14', '| # bytes |', protocol.MAX_PDU_BYTES),
    say('8.14', '| # bytes |', MAX_ENVELOPE_SIZE),
    say('8.14', '| # ', protocol.MAX_ROSTER_DEVICES),
    say('8.14', '0 to #', protocol.MAX_POWER),
    say('9.1', 'at most # characters', longest('client-sync-query', 'since')),
    say('9.2', 'at most #)', limits.sync_timeout_ms),
    say('9.4', 'latest # events', kept('src-homeserver/sync/initial.ts', 'TIMELINE')),
    say('9.5', 'at most # for a device', kept('src-homeserver/routes/to-device.ts', 'MAX_WAITING')),
    say('9.7', '1 to #,', greatest('client-messages-query', 'limit')),
    say('9.7', '# if absent', kept('src-homeserver/routes/messages.ts', 'DEFAULT_LIMIT')),
    say('9.8', 'up to # windows', written(windows, /keys\(lists\)\.length <= ([0-9]+)/)),
    say('9.8', 'up to # pairs', most('window-list', 'ranges')),
    say('9.8', '# rooms in all', MAX_WINDOW_ROOMS),
    say('9.8', '0 to # ', greatest('window-list', 'timeline')),
    say('9.8', 'up to # rooms', written(windows, /keys\(rooms\)\.length <= ([0-9]+)/)),
    say('9.8', 'at least # days', kept(housekeeping, 'WRAPS_KEPT_MS'), days),
    say(
      '10.5',
      'password of # characters',
      kept('src-homeserver/routes/register.ts', 'MIN_PASSWORD'),
    ),
    say('10.5', 'At most # devices', kept('src-homeserver/routes/login.ts', 'MAX_PENDING')),
    say('10.5', 'after # days', kept(housekeeping, 'PENDING_KEPT_MS'), days),
    say('10.5', 'at most # characters, which', longest('client-pairing-request', 'message')),
    say('10.5', 'at most # characters;', longest('client-set-profile-request', 'display_name')),
    say('10.1', 'at most # characters', written('src-homeserver/http/bearer.ts', /\{1,([0-9]+)\}/)),
    say('10.4', 'more than # minutes', LOGIN_SKEW_MS, minutes),
    say('10.7', 'at most # one-time prekeys', most('prekey-upload', 'one_time')),
    say('10.7', 'and # in stock', kept('src-homeserver/routes/upload-keys.ts', 'MAX_STOCK')),
    say('10.7', '1 to # devices', most('client-claim-keys-request', 'devices')),
    say('10.8', '2 to #.', most('client-create-room-request', 'submissions')),
    say('10.9', '# at most,', MAX_PAIRWISE_DEVICES),
    say('10.9', '1 to # receipts', most('client-receipts-request', 'receipts')),
    say('10.9', '1 to # messages', most('client-to-device-request', 'messages')),
    say('10.10', 'at least # days', kept(housekeeping, 'TXNS_KEPT_MS'), days),
    say('11.2', 'chunks of # bytes', protocol.CHUNK_BYTES),
    say('11.2', 'at most # bytes', protocol.MAX_ATTACHMENT_BYTES, power),
    say('11.2', 'which are # chunks', protocol.MAX_ATTACHMENT_BYTES / protocol.CHUNK_BYTES, power),
    say('11.2', 'is # bytes longer', TAG_BYTES),
    say('11.2', 'begins at i · #', protocol.CHUNK_BYTES + TAG_BYTES),
    say('11.3', 'at most # (', most('message-content', 'attachments')),
    say('11.3', 'at most # characters', longest('attachment', 'mime')),
    say('11.3', 'at most # characters', longest('attachment', 'name')),
    say('11.3', '1 to # ', greatest('attachment', 'width')),
    say('11.3', 'beyond # ', protocol.MAX_ATTACHMENT_BYTES, power),
    say('12.1', 'as # words', protocol.RECOVERY_WORD_COUNT),
    say('12.2', 'after # hours', protocol.RECOVERY_WAIT, hours),
    say('12.2', 'within # days', protocol.CONTEST_WINDOW, days),
    say('12.3', '+ # hours', protocol.RECOVERY_WAIT, hours),
    say('12.3', '+ # days', protocol.REPLACEMENT_WAIT, days),
    say('12.3', '_seen_ + # days', protocol.VETO_PAUSE, days),
    say('12.3', 'less than # days', protocol.CONTEST_WINDOW, days),
    say('12.6', 'at most # bytes canonical', protocol.MAX_EPOCH_DOCUMENT),
    say('12.6', '0 to #', greatest('archive-epoch', 'epoch')),
    say('12.6', 'at most # bytes)', protocol.MAX_SEGMENT_BYTES),
    say('12.6', '1 to # of', protocol.MAX_SEGMENT_RECORDS),
    say('13.1', '≤ 256: padded to #', protocol.MIN_PADDED_SIZE),
    say('13.1', 'at most # % more', Math.ceil(worstPadding().percent)),
    say('13.3', 'at least # bytes', kept(outbound, 'SMALLEST')),
    say('15.1', 'at most # KiB', kept(directory, 'WELL_KNOWN_BYTES'), kib),
    say('15.1', 'within # seconds', kept(directory, 'WELL_KNOWN_MS'), seconds),
    say('15.1', 'a failure for # minutes', kept(directory, 'FAILED_MS'), minutes),
    say(
      '15.1',
      'more than # seconds',
      kept('src-homeserver/federation/peer-calls.ts', 'VERSION_MS'),
      seconds,
    ),
    say('15.1', 'port #', kept(directory, 'FEDERATION_PORT'), String),
    say('15.2', 'at most # in all', kept('src-shared/api/server-keys.ts', 'MAX_KEYS')),
    say('15.2.1', 'at most # names', MAX_ASKED_KEYS),
    say('15.2.1', 'At most #, none', kept(vouching, 'MAX_WITNESSES')),
    say('15.2.1', 'counts for # seconds', kept(vouching, 'SAID_MS'), seconds),
    say(
      '15.2.1',
      'at most # times a minute',
      written(vouching, /^const ROUNDS = \{ max: (\d+), windowMs: 60_000 \}$/m),
    ),
    say('15.3', '# random bytes', NONCE_BYTES),
    say('15.3', 'more than # seconds', SERVER_SKEW_MS, seconds),
    say('15.3', 'remembered for # seconds', 2 * SERVER_SKEW_MS, seconds),
    say('15.5', 'At most # items', MAX_ITEMS),
    say('15.5', 'and # MiB are taken', serverApi.transaction.maxBytes, mib),
    say('15.5', 'at most # MiB', kept(outbound, 'TRANSACTION_BYTES'), mib),
    say('15.5', 'at most # days', kept(outbound, 'GIVEN_UP_MS'), days),
    say('15.5', '(at most #)', MAX_INVITE_STATE),
    say('15.7', 'At most # events', MAX_EVENTS),
    say('15.7', 'or # MiB', kept('src-homeserver/federation/missing.ts', 'ANSWER_BYTES'), mib),
    say('15.8', 'more than # commas and opening brackets', MAX_MARKS),
    say('15.8', 'At most # wraps', MAX_PAIRWISE_DEVICES),
    say('15.8', '# ends of a room', kept('src-homeserver/federation/judge.ts', 'MAX_ENDS')),
    say('15.8', '# events are looked at', kept('src-homeserver/federation/missing.ts', 'MAX_SCAN')),
    say('15.8', 'at most # pages', FREE_PAGES),
    say('15.8', 'every # events', LEAST_TOLD),
    say('15.8', 'takes at most # events', MAX_FETCHED),
    say('15.8', 'reads # pages', kept('src-homeserver/federation/catch-up.ts', 'PAGES_AT_ONCE')),
    say('15.8', 'More than # ends', protocol.MAX_PREV_EVENTS),
    say('16.2', 'up to #; empty', most('body.e.room.grant', 'devices')),
    say('16.2', 'may send, up to #', most('body.e.room.grant', 'send')),
    say('16.5', '1 to # characters', longest('provenance', 'network')),
    say('16.5', '1 to # characters', longest('provenance', 'sender')),
    say('17.3', 'more than # bytes', MAX_ENVELOPE_SIZE / 2),
    say('17.3', '# random bytes', CONTENT_KEY_BYTES),
    say('18.3', '# hours and a veto', protocol.RECOVERY_WAIT, hours),
    say('18.4', 'up to # messages', MAX_CHAIN_MESSAGES),
    say('1.6', '1 to # characters from `a-z`, `0-9` and `-`', 2 + written(ids, /\{0,(61)\}/)),
    say('1.6', '# characters at most', written(ids, /length > ([0-9]+)/)),
    say('1.6', '`name` is 1 to # characters', 1 + written(ids, /USER_NAME = .*\{0,([0-9]+)\}/)),
    say('9.8', 'from #, both ends', 0),
    say('9.9', 'at most # MiB from the node', syncStream.maxNews, mib),
    say('9.9', 'and # KiB from the client', syncStream.maxAsked, kib),
    say('9.9', 'every # seconds', syncStream.pingMs, seconds),
    say('9.9', 'for # closes', syncStream.silenceMs, seconds),
    say('9.9', 'At most # `news`', syncStream.maxUnstored),
    say('10.2', 'at most # KiB', kept(finding, 'MAX_ANSWER'), kib),
    say('10.2', '# seconds, no redirect', written(finding, /timeoutMs = ([0-9_]+)/), seconds),
    say(
      '10.10',
      '1 to # characters',
      written('src-shared/api/client-server.ts', /const txn = .*\{1,([0-9]+)\}/),
    ),
    say(
      '11.3',
      '1 to # characters from',
      written('src-shared/protocol/envelope/message-content.ts', /media: .*\{1,([0-9]+)\}/),
    ),
    say(
      '15.5',
      'to # hour unless',
      written('src-homeserver/config-file.ts', /UNITS = .* h: ([0-9_]+)/),
      hours,
    ),
    say(
      '15.2',
      'at most every # seconds',
      kept('src-homeserver/federation/server-keys.ts', 'ABSENT_MS'),
      seconds,
    ),
    say(
      '15.8',
      'headers that take longer than # seconds',
      kept('src-homeserver/federation/peer-server.ts', 'HEADERS_MS'),
      seconds,
    ),
    say(
      '15.11',
      'or after # days',
      kept('src-homeserver/federation/comeback.ts', 'GIVEN_UP_MS'),
      days,
    ),
  ].sort((a, b) => bySection(a.section, b.section))
}

export function bySection(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)]
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? -1) - (right[at] ?? -1)
    if (difference !== 0) return difference
  }
  return 0
}
