/** Every case of the suite, by the part that it belongs to. */
import type { Case, Part } from '../case.ts'
import { clientAccounts } from './client-accounts.ts'
import { clientRequests } from './client-requests.ts'
import { clientRooms } from './client-rooms.ts'
import { clientSync } from './client-sync.ts'
import { clientWindows } from './client-windows.ts'
import { federationCases } from './federation.ts'
import { hostileEvents } from './hostile-events.ts'
import { hostileKeys } from './hostile-keys.ts'
import { hostileNews } from './hostile-news.ts'
import { hostileRequests } from './hostile-requests.ts'
import { hostileVersions } from './hostile-versions.ts'

export const hostileCases = [
  ...hostileVersions,
  ...hostileRequests,
  ...hostileKeys,
  ...hostileEvents,
  ...hostileNews,
]

export const allCases: Readonly<Record<Part, readonly Case[]>> = {
  client: [...clientRequests, ...clientAccounts, ...clientRooms, ...clientSync, ...clientWindows],
  federation: federationCases,
  hostile: hostileCases,
}
