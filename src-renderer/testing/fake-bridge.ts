/**
 * An in-memory stand-in for main, for the gallery and the tests of the store core. It keeps rooms,
 * answers every call, and pretends that the other side receives and reads what is sent. Not shipped.
 */
import type {
  Bridge,
  CallInput,
  CallName,
  CallResult,
  EventName,
  EventPayload,
  IpcErrorCode,
} from '../../src-shared/ipc/index.ts'
import type { AccountView, TimelineItem } from '../../src-shared/view-model/index.ts'
import { createHandlers } from './fake-handlers.ts'
import { FakeError, FakeState, type FakeOptions } from './fake-state.ts'
import type { FakeRoom } from './fake-world.ts'

export interface FakeBridge extends Bridge {
  emit<N extends EventName>(name: N, payload: EventPayload<N>): void
  /** A message from somebody else arrives. */
  receive(room: string, item: TimelineItem): void
  changeAccount(patch: Partial<AccountView>): void
  /** The next call of this name fails once. */
  failNext(name: CallName, code: IpcErrorCode): void
  readonly rooms: Map<string, FakeRoom>
  readonly log: { name: CallName; input: unknown }[]
}

export function createFakeBridge(options: FakeOptions = {}): FakeBridge {
  const fake = new FakeState(options)
  const handlers = createHandlers(fake)
  const failures = new Map<CallName, IpcErrorCode>()
  const log: { name: CallName; input: unknown }[] = []

  return {
    rooms: fake.rooms,
    log,
    emit: (name, payload) => fake.emit(name, payload),
    changeAccount: (patch) => fake.changeAccount(patch),
    receive: (room, item) => fake.put(room, item),
    failNext: (name, code) => failures.set(name, code),
    async call<N extends CallName>(name: N, input: CallInput<N>): Promise<CallResult<N>> {
      log.push({ name, input })
      const failure = failures.get(name)
      failures.delete(name)
      await Promise.resolve()
      try {
        if (failure) throw new FakeError(failure)
        return { ok: true, value: handlers[name](input) }
      } catch (error) {
        return { ok: false, error: { code: error instanceof FakeError ? error.code : 'internal' } }
      }
    },
    on: (name, listener) => fake.on(name, listener),
  }
}
