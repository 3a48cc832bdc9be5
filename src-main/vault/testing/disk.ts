/** The vault's records behind its back: what someone with the disk can copy and put back. */
import type { SealedRecord } from '../port-messages.ts'

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(new Error('the database did not answer'))
  })
}

export async function readDisk(factory: IDBFactory): Promise<SealedRecord[]> {
  const database = await done(factory.open('vault'))
  const rows = await done<SealedRecord[]>(
    database.transaction('records').objectStore('records').getAll(),
  )
  database.close()
  return rows
}

/** `others` says what happens to the records that are not among `rows`. */
export async function writeDisk(
  factory: IDBFactory,
  rows: readonly SealedRecord[],
  others: 'keep' | 'clear',
): Promise<void> {
  const database = await done(factory.open('vault'))
  const transaction = database.transaction('records', 'readwrite')
  const records = transaction.objectStore('records')
  if (others === 'clear') records.clear()
  for (const row of rows) records.put(row)
  await new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onerror = () => reject(new Error('not written'))
  })
  database.close()
}
