/** Waiting for news of an account. Listening begins before looking, so that nothing falls between. */
import type { Context } from '../context.ts'
import type { Caller } from '../http/call.ts'

export interface News {
  /** True when there may be some; false when time is up or the caller is gone. */
  within(ms: number): Promise<boolean>
  /** As if there were some. */
  ring(): void
  close(): void
}

export function listen(
  context: Pick<Context, 'notifier' | 'metrics'>,
  { member }: Pick<Caller, 'member'>,
  gone: AbortSignal,
): News {
  let arrived = false
  let wake: () => void = () => undefined
  const ring = (): void => {
    arrived = true
    wake()
  }
  const unsubscribe = context.notifier.subscribe(member, ring)
  return {
    async within(ms) {
      context.metrics.waiting(1)
      try {
        await new Promise<void>((resolve) => {
          const timer = Number.isFinite(ms) ? setTimeout(resolve, ms) : undefined
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
          gone.addEventListener('abort', wake, { once: true })
          if (arrived || gone.aborted) wake()
        })
      } finally {
        gone.removeEventListener('abort', wake)
        context.metrics.waiting(-1)
      }
      return arrived && !gone.aborted
    },
    ring,
    close: unsubscribe,
  }
}
