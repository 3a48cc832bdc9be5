/** What every contestant encrypts: 256 bytes, which as text are 256 characters. */

export const TEXT = 'A heron stands in the reeds and waits. '.repeat(7).slice(0, 256)
export const PAYLOAD: Uint8Array<ArrayBuffer> = new Uint8Array(Buffer.from(TEXT, 'latin1'))

export function mustBePayload(bytes: Uint8Array): void {
  if (Buffer.compare(bytes, PAYLOAD) !== 0) throw new Error('a message came out changed')
}

export function mustBeText(text: unknown): void {
  if (text !== TEXT) throw new Error('a message came out changed')
}
