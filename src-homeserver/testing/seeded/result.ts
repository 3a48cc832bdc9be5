/** What is left of a seeded run. */
export interface Result {
  /** One line for each thing that is wrong; none if all is well. */
  readonly faults: readonly string[]
  /** What happened, in its order. */
  readonly journal: readonly string[]
  readonly acknowledged: number
  readonly refused: number
}
