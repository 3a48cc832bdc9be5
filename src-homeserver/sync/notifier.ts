/**
 * Wakes waiting syncs. Inside one process a map; several processes on one database will put their
 * database's notifications behind the same interface.
 */
export interface Notifier {
  wake(members: ReadonlySet<string>): void
  /** Calls back whenever there may be news; returns the function that takes the listener back. */
  subscribe(member: string, listener: () => void): () => void
}

export function createLocalNotifier(): Notifier {
  const listeners = new Map<string, Set<() => void>>()
  return {
    wake(members) {
      for (const member of members) for (const call of listeners.get(member) ?? []) call()
    },
    subscribe(member, listener) {
      const own = listeners.get(member) ?? new Set()
      listeners.set(member, own)
      own.add(listener)
      return () => {
        own.delete(listener)
        if (own.size === 0 && listeners.get(member) === own) listeners.delete(member)
      }
    },
  }
}
