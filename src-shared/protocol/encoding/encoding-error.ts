/** The one error of Encoding §1: bytes or text that do not have the strict form asked for. */

export type EncodingErrorCode =
  | 'too_large'
  | 'too_deep'
  | 'bad_utf8'
  | 'bad_json'
  | 'bad_number'
  | 'bad_string'
  | 'duplicate_key'
  | 'forbidden_key'
  | 'not_canonical'
  | 'not_json'
  | 'bad_base64url'
  | 'bad_hex'

export class EncodingError extends Error {
  override readonly name = 'EncodingError'
  readonly code: EncodingErrorCode
  constructor(code: EncodingErrorCode) {
    super(`encoding: ${code}`)
    this.code = code
  }
}
