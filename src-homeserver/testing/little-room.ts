/**
 * A node's data where there is little room for it, on the database that the run is about: SQLite up to its limit, or
 * a PostgreSQL whose tables lie on a disk that is really full.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { NodeConfig } from '../config.ts'
import { contentsOf, onPostgres } from './database.ts'
import { TestPostgres, findPostgres } from './postgresql.ts'
import { SmallDisk, whyNoSmallDisk } from './small-disk.ts'

const LIMIT = 16 * 2 ** 20
const PAGE = 4096
const LEFT = 30 * PAGE
/** An empty database of PostgreSQL takes about eight. */
const DISK_MIB = 24

/** A node's data on a disk of its own. */
export interface SmallData {
  readonly dataDir: string
  readonly database: string | null
  readonly disk: SmallDisk
  remove(): Promise<void>
}

export async function smallData(): Promise<SmallData> {
  const disk = new SmallDisk(DISK_MIB)
  if (!onPostgres) {
    const dataDir = join(disk.folder, 'data')
    return { dataDir, database: null, disk, remove: () => disk.remove() }
  }
  const found = findPostgres()
  if ('missing' in found) throw new Error(found.missing)
  const postgres = new TestPostgres({ bin: found.bin, durable: false })
  await postgres.create()
  await postgres.start()
  const dataDir = mkdtempSync(join(tmpdir(), 'eccp-small-'))
  return {
    dataDir,
    database: await postgres.createDatabaseIn(disk.folder, 'small'),
    disk,
    async remove() {
      await postgres.stop()
      await disk.remove()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

export interface LittleRoom {
  readonly config: Pick<NodeConfig, 'maxDatabaseBytes' | 'database'>
  /** Something else takes all the room there is but a little. */
  fill(): Promise<void>
  makeRoom(): Promise<void>
  /** Throws where what is stored does not read. */
  check(): Promise<void>
  remove(): Promise<void>
}

/** Why that can't be here; null where it can. */
export function whyNoLittleRoom(): string | null {
  return onPostgres ? whyNoSmallDisk() : null
}

export function littleRoom(dataDir: string): Promise<LittleRoom> {
  return onPostgres ? inPostgres() : Promise.resolve(inFiles(dataDir))
}

function inFiles(dataDir: string): LittleRoom {
  const directly = <T>(work: (database: DatabaseSync) => T): T => {
    const database = new DatabaseSync(join(dataDir, 'node.sqlite'), { timeout: 5000 })
    try {
      return work(database)
    } finally {
      database.close()
    }
  }
  return {
    config: { maxDatabaseBytes: LIMIT, database: null },
    async fill() {
      directly((database) => {
        database.exec('create table filler (x)')
        const pages = Number(database.prepare('pragma page_count').get()?.['page_count'])
        const left = LIMIT - pages * PAGE
        database.prepare('insert into filler values (zeroblob(?))').run(left - LEFT)
      })
    },
    async makeRoom() {
      directly((database) => database.exec('drop table filler'))
    },
    async check() {
      const found = directly((database) => database.prepare('pragma integrity_check').all())
      const [first] = found
      if (found.length !== 1 || first?.['integrity_check'] !== 'ok') throw new Error('damaged')
    },
    remove: async () => undefined,
  }
}

async function inPostgres(): Promise<LittleRoom> {
  const { database, disk, remove } = await smallData()
  return {
    config: { maxDatabaseBytes: null, database },
    fill: async () => disk.fill(LEFT),
    makeRoom: async () => disk.makeRoom(),
    async check() {
      await contentsOf(database ?? '')
    },
    remove,
  }
}
