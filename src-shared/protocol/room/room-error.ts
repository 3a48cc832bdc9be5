/** The one error of the room chapter: a caller's mistake. What others sent wrong is a return value. */

export type RoomErrorCode =
  /** A body built here would not satisfy its own schema. */
  | 'bad_content'
  /** The source of events does not hold an event that an accepted one refers to. */
  | 'unknown_event'
  /** The state holds no create event. */
  | 'no_room'
  /** Header, body and signature handed in do not fit together. */
  | 'bad_event'

export class RoomError extends Error {
  override readonly name = 'RoomError'
  readonly code: RoomErrorCode
  constructor(code: RoomErrorCode) {
    super(`room: ${code}`)
    this.code = code
  }
}
