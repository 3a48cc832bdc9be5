import { expect, it } from 'vitest'
import { findPostgres } from './postgresql.ts'

const found = findPostgres()
const why = 'missing' in found ? found.missing : 'it is here'

// Stands for every test that runs on PostgreSQL; where those must run it fails.
it.skipIf(process.env['ECCP_REQUIRE_POSTGRESQL'] !== '1')(
  `everything on PostgreSQL: ${process.env['ECCP_NO_POSTGRESQL'] ?? why}`,
  () => {
    expect(found).not.toHaveProperty('missing')
  },
)
