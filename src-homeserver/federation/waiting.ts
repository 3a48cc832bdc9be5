/** What of an event is kept in the queue to another server: the rest is read when it is sent. */

/** What of an event waits for a destination: its Pdu is read when it is sent. */
export interface WaitingEvent {
  readonly event: string
  /** JSON of each. */
  readonly wraps: readonly string[]
}

/** As `WaitingEvent`; the rest shows what the room is. */
export interface WaitingInvite {
  readonly event: string
  readonly state: readonly string[]
  /** Ids of those of `state` under whose keys nothing is current any more. */
  readonly lapsed?: readonly string[]
}
