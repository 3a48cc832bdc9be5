import { describe, expect, it } from 'vitest'
import { readCommand } from './cli.ts'

const serve = (...more: string[]) =>
  readCommand(['serve', '--server-name', 'node.example.org', '--data', 'd', ...more])

describe('the command line', () => {
  it('takes the options that operators know', () => {
    const command = serve(
      '--public-base-url',
      'https://node.example.org/',
      '--bootstrap-admin',
      'admin@node.example.org',
      '--listen',
      '[::1]:8448',
      '--registration',
      'token',
      '--rate-limits',
      'off',
      '--port-file',
      'p.json',
    )
    if (command.kind !== 'serve') throw new Error(command.kind)
    expect(command.config).toMatchObject({
      serverName: 'node.example.org',
      publicBaseUrl: 'https://node.example.org',
      listen: { host: '::1', port: 8448 },
      registration: 'token',
      bootstrapAdmin: 'admin',
      rateLimits: null,
    })
    expect(command.portFile).toMatch(/p\.json$/)
  })

  it.each([
    [['serve']],
    [['serve', '--data', 'd']],
    [['serve', '--data', 'd', '--server-name', 'Not A Name']],
    [['fly', '--data', 'd', '--server-name', 'a.test']],
    [['serve', '--data', 'd', '--server-name', 'a.test', '--unknown']],
    [['serve', '--data', 'd', '--server-name', 'a.test', '--listen', 'nowhere']],
    [['serve', '--data', 'd', '--server-name', 'a.test', '--listen', '127.0.0.1:70000']],
    [['serve', '--data', 'd', '--server-name', 'a.test', '--registration', 'maybe']],
    [['serve', '--data', 'd', '--server-name', 'a.test', '--bootstrap-admin', 'a@b.test']],
    [['serve', '--data', 'd', '--server-name', 'a.test', '--public-base-url', 'ftp://a']],
  ])('says what is wrong with %j', (args) => {
    expect(readCommand(args)).toMatchObject({ kind: 'wrong', why: expect.any(String) })
  })

  it('copies a folder’s data, and takes its word that it was set back', () => {
    const backup = readCommand(['backup', '--data', 'd', '--to', 'copy'])
    expect(backup).toMatchObject({ kind: 'backup', keyPath: null })
    expect(readCommand(['backup', '--data', 'd'])).toMatchObject({ kind: 'wrong' })
    const restored = readCommand(['restored', '--server-name', 'a.test', '--data', 'd'])
    expect(restored).toMatchObject({ kind: 'restored', serverName: 'a.test', database: null })
  })

  it('shows its usage when nothing is asked', () => {
    expect(readCommand([])).toEqual({ kind: 'help' })
  })
})
