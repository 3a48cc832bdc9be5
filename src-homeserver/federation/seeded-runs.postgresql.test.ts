/** Seeded runs with each node on a database of a PostgreSQL that is killed under load; see `seeded-runs.test.ts`. */
import { expect, it } from 'vitest'
import { runSeed, seedsOf } from '../testing/seeded/seeded-run.ts'

it.each(seedsOf('postgresql'))(
  'three nodes agree, and nobody misses anything, though their database is killed (seed %i)',
  async (seed) => {
    expect((await runSeed(seed)).acknowledged).toBeGreaterThan(0)
  },
  280_000,
)
