/**
 * One entrance for everything the renderer asks: knows the name, checks the input, calls the handler,
 * checks what leaves. Answers with a code of the closed set; never throws, never passes a message on.
 */
import { calls, errorCodes } from '../../src-shared/ipc/index.ts'
import type {
  CallInput,
  CallName,
  CallOutput,
  CallResult,
  IpcError,
  IpcErrorCode,
} from '../../src-shared/ipc/index.ts'
import type { Log } from '../../src-shared/client/index.ts'
import { StoreError } from '../../src-shared/client/index.ts'

export type Handlers = {
  readonly [N in CallName]: (input: CallInput<N>) => CallOutput<N> | Promise<CallOutput<N>>
}

function isCallName(name: unknown): name is CallName {
  return typeof name === 'string' && Object.hasOwn(calls, name)
}

function isErrorCode(code: unknown): code is IpcErrorCode {
  return (errorCodes as readonly unknown[]).includes(code)
}

/** Errors of all modules carry a `code`; one outside the contract's set is `internal`. */
export function ipcErrorOf(error: unknown): IpcError {
  if (error instanceof StoreError) {
    return { code: error.code === 'corrupted' ? 'vault_damaged' : 'internal' }
  }
  if (!(error instanceof Error) || !('code' in error) || !isErrorCode(error.code)) {
    return { code: 'internal' }
  }
  const retryAfter = 'retryAfter' in error ? error.retryAfter : undefined
  return typeof retryAfter === 'number' && retryAfter >= 0
    ? { code: error.code, retryAfter: Math.round(retryAfter) }
    : { code: error.code }
}

async function answer<N extends CallName>(
  handlers: Handlers,
  name: N,
  input: unknown,
): Promise<CallResult<N>> {
  const parsed = calls[name].input.safeParse(input)
  if (!parsed.success) return { ok: false, error: { code: 'bad_input' } }
  const value = await handlers[name](parsed.data as CallInput<N>)
  // Parsing the output also drops whatever the contract does not name.
  return { ok: true, value: calls[name].output.parse(value) as CallOutput<N> }
}

export async function dispatch(
  handlers: Handlers,
  log: Log,
  name: unknown,
  input: unknown,
): Promise<CallResult<CallName>> {
  if (!isCallName(name)) return { ok: false, error: { code: 'bad_input' } }
  try {
    return await answer(handlers, name, input)
  } catch (error) {
    const failure = ipcErrorOf(error)
    if (failure.code === 'internal') {
      log('ipc.failed', { name, error: error instanceof Error ? error.name : typeof error })
    }
    return { ok: false, error: failure }
  }
}
