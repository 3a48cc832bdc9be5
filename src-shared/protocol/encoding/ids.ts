/**
 * The text ids of the protocol (Encoding §1): user, server, room, fingerprint, device, envelope, event.
 *
 * Each id has exactly one spelling, so ids are compared as strings. Server names are lower case; IPv6
 * addresses have their RFC 5952 form.
 */
import { z } from 'zod'
import { isBase64Url } from './bytes.ts'

/** Server names are bounded to 255 characters, port included. */
export const MAX_SERVER_NAME = 255
const HOST_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const USER_NAME = /^[a-z0-9][a-z0-9._=-]{0,63}$/

export interface UserId {
  readonly name: string
  readonly server: string
}

export interface ServerName {
  readonly kind: 'hostname' | 'ipv4' | 'ipv6'
  /** Without the brackets of an IPv6 address. */
  readonly host: string
  /** `null` where the name carries none. */
  readonly port: number | null
}

export interface RoomId {
  /** The id of the room's create envelope. */
  readonly envelopeId: string
  /** A hint where to ask, never an authority. */
  readonly server: string
}

/** `hostname`, `1.2.3.4` or `[2001:db8::1]`, each with an optional `:port`; `null` otherwise. */
export function parseServerName(text: string): ServerName | null {
  if (text.length > MAX_SERVER_NAME) return null
  const [, bracketed, plain, portText] =
    /^(?:\[([0-9a-f:]+)\]|([a-z0-9.-]+))(?::([0-9]{1,5}))?$/.exec(text) ?? []
  let port: number | null = null
  if (portText !== undefined) {
    port = Number(portText)
    if (String(port) !== portText || port < 1 || port > 65535) return null
  }
  if (bracketed !== undefined)
    return isCanonicalIpv6(bracketed) ? { kind: 'ipv6', host: bracketed, port } : null
  if (plain === undefined) return null
  // A name that ends in a number is an address to every resolver, also where the number is
  // hexadecimal: it must be a valid one.
  if (/(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/.test(plain))
    return isIpv4(plain) ? { kind: 'ipv4', host: plain, port } : null
  if (plain.length > 253 || !plain.split('.').every((label) => HOST_LABEL.test(label))) return null
  return { kind: 'hostname', host: plain, port }
}

/** `@name:server`; `null` otherwise. */
export function parseUserId(text: string): UserId | null {
  const colon = text.indexOf(':')
  if (!text.startsWith('@') || colon < 0) return null
  const name = text.slice(1, colon)
  const server = text.slice(colon + 1)
  return USER_NAME.test(name) && parseServerName(server) !== null ? { name, server } : null
}

/** `!` + create envelope id + `:` + server; `null` otherwise. */
export function parseRoomId(text: string): RoomId | null {
  if (!text.startsWith('!') || text[44] !== ':') return null
  const envelopeId = text.slice(1, 44)
  const server = text.slice(45)
  return isEnvelopeId(envelopeId) && parseServerName(server) !== null
    ? { envelopeId, server }
    : null
}

/** `name` and `server` must be valid on their own. */
export function formatUserId(name: string, server: string): string {
  return `@${name}:${server}`
}

export function formatRoomId(createEnvelopeId: string, server: string): string {
  return `!${createEnvelopeId}:${server}`
}

/** An account's fingerprint, which is also its member id: 32 bytes as 43 characters. */
export function isFingerprint(text: string): boolean {
  return isBase64Url(text, 32)
}

/** 12 random bytes as 16 characters. */
export function isDeviceId(text: string): boolean {
  return isBase64Url(text, 12)
}

/** A labelled SHA-256 as 43 characters. */
export function isEnvelopeId(text: string): boolean {
  return isBase64Url(text, 32)
}

/** `$` and a labelled SHA-256 as 43 characters. */
export function isEventId(text: string): boolean {
  return text.startsWith('$') && isBase64Url(text.slice(1), 32)
}

/** Strict unpadded base64url text, of exactly `byteLength` bytes where given. */
export function base64UrlSchema(byteLength?: number): z.ZodString {
  return z
    .string()
    .refine((text) => isBase64Url(text, byteLength), 'bad base64url')
    .meta({ pattern: `^${base64UrlPattern(byteLength)}$` })
}

/** For JSON Schemas, which can't say more: the last character has spare bits, which are zero. */
export function base64UrlPattern(byteLength?: number): string {
  const any = '[A-Za-z0-9_-]'
  const lasts = ['', '[AQgw]', '[AEIMQUYcgkosw048]'] as const
  if (byteLength === undefined) return `(${any}{4})*(${any}${lasts[1]}|${any}{2}${lasts[2]})?`
  const last = lasts[byteLength % 3] ?? ''
  return `${any}{${Math.floor((byteLength * 4) / 3)}}${last}`
}

/** For JSON Schemas: the letters of a server name and its port; the rest is text of Encoding §1.6. */
const SERVER_PATTERN = '(\\[[0-9a-f:]+\\]|[a-z0-9.-]+)(:[1-9][0-9]{0,4})?'

export const serverNameSchema = z
  .string()
  .refine((text) => parseServerName(text) !== null, 'bad server name')
  .meta({ pattern: `^${SERVER_PATTERN}$`, maxLength: MAX_SERVER_NAME })
export const userIdSchema = z
  .string()
  .refine((text) => parseUserId(text) !== null, 'bad user id')
  .meta({ pattern: `^@[a-z0-9][a-z0-9._=-]{0,63}:${SERVER_PATTERN}$` })
export const roomIdSchema = z
  .string()
  .refine((text) => parseRoomId(text) !== null, 'bad room id')
  .meta({ pattern: `^!${base64UrlPattern(32)}:${SERVER_PATTERN}$` })
export const fingerprintSchema = base64UrlSchema(32)
export const deviceIdSchema = base64UrlSchema(12)
export const envelopeIdSchema = base64UrlSchema(32)
export const eventIdSchema = z
  .string()
  .refine(isEventId, 'bad event id')
  .meta({ pattern: `^\\$${base64UrlPattern(32)}$` })
/** Milliseconds since 1970, UTC. */
export const timestampSchema = z.int().nonnegative()

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return (
    parts.length === 4 &&
    parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)
  )
}

function isCanonicalIpv6(text: string): boolean {
  const groups = ipv6Groups(text)
  return groups !== null && formatIpv6(groups) === text
}

function ipv6Groups(text: string): readonly number[] | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const groups = [...(head ?? []), ...(tail ?? [])]
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return null
  const missing = 8 - groups.length
  if (tail === undefined ? missing !== 0 : missing < 1) return null
  const zeros = Array.from({ length: missing }, () => '0')
  return [...(head ?? []), ...zeros, ...(tail ?? [])].map((group) => Number.parseInt(group, 16))
}

/** RFC 5952 §4: the first longest run of two or more zero groups becomes `::`. */
function formatIpv6(groups: readonly number[]): string {
  let best = { start: 0, length: 1 }
  for (let start = 0; start < groups.length; start++) {
    let end = start
    while (groups[end] === 0) end++
    if (end - start > best.length) best = { start, length: end - start }
  }
  const text = (part: readonly number[]): string =>
    part.map((group) => group.toString(16)).join(':')
  if (best.length < 2) return text(groups)
  return `${text(groups.slice(0, best.start))}::${text(groups.slice(best.start + best.length))}`
}
