/** What the desktop's own parts fail with: the closed set of the IPC contract. */
import type { IpcErrorCode } from '../src-shared/ipc/index.ts'

export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: IpcErrorCode
  /** Milliseconds until a new try makes sense, where known. */
  readonly retryAfter: number | undefined
  constructor(code: IpcErrorCode, retryAfter?: number) {
    super(`app: ${code}`)
    this.code = code
    this.retryAfter = retryAfter
  }
}
