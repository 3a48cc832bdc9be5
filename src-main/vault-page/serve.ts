/** Answers main's requests over one message port. Knows neither windows nor what the records mean. */
import type { VaultReply, VaultRequest } from '../vault/port-messages.ts'
import { RecordsError } from './records.ts'
import type { Records } from './records.ts'

async function answer(records: Records, request: VaultRequest): Promise<unknown> {
  switch (request.op) {
    case 'get':
      return records.get(request.keys)
    case 'apply':
      await records.apply(request.batch)
      return null
    case 'hasCommit':
      return records.hasCommit(request.id)
    case 'erase':
      await records.erase()
      return null
  }
}

/** Returns the function that takes one request; every request is answered exactly once. */
export function serveRecords(
  records: Records,
  reply: (reply: VaultReply) => void,
): (request: VaultRequest) => void {
  return (request) => {
    answer(records, request).then(
      (value) => reply({ n: request.n, ok: true, value }),
      (error: unknown) =>
        reply({
          n: request.n,
          ok: false,
          failure: error instanceof RecordsError ? error.code : 'failed',
        }),
    )
  }
}
