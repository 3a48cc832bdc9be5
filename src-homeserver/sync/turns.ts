/**
 * One sync with windows at a time for each device (Sync §8): what was shown to it is remembered here, and an
 * answer of one sync that is overtaken by another must not count as shown. Whoever comes later goes on.
 */
export interface Turn {
  readonly over: boolean
  end(): void
}

export interface Turns {
  /** Ends the turn before it; `onOver` is called when this one is ended by the next. */
  take(member: string, device: string, onOver?: () => void): Turn
  /** Another process has begun for the device. */
  overtaken(member: string, device: string): void
}

export function createTurns(): Turns {
  const current = new Map<string, { over: boolean; onOver: () => void }>()
  return {
    take(member, device, onOver = () => undefined) {
      const key = `${member}/${device}`
      const before = current.get(key)
      const own = { over: false, onOver }
      current.set(key, own)
      if (before !== undefined) {
        before.over = true
        before.onOver()
      }
      return {
        get over() {
          return own.over
        },
        end() {
          if (current.get(key) === own) current.delete(key)
        },
      }
    },
    overtaken(member, device) {
      const own = current.get(`${member}/${device}`)
      if (own === undefined) return
      own.over = true
      own.onOver()
    },
  }
}
