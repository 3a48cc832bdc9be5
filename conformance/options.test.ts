import { describe, expect, it } from 'vitest'
import { choosing } from './suite.ts'
import { parseOptions } from './options.ts'

const wrong = (...args: string[]): string => {
  const parsed = parseOptions(args)
  return parsed.kind === 'wrong' ? parsed.message : parsed.kind
}

describe('the command line', () => {
  it('needs nothing but a node', () => {
    expect(parseOptions(['--node', 'https://chat.example'])).toMatchObject({
      kind: 'run',
      options: {
        node: 'https://chat.example',
        second: null,
        peers: [],
        listen: { host: '127.0.0.1', port: 9448 },
        quick: false,
      },
    })
  })

  it('takes fake peers by name, and where they listen', () => {
    const parsed = parseOptions(
      '--node http://127.0.0.1:1 --peer a.test --peer b.test --peer-listen [::1]:9000'.split(' '),
    )
    expect(parsed).toMatchObject({
      options: { peers: ['a.test', 'b.test'], listen: { host: '::1', port: 9000 } },
    })
  })

  it('says what is wrong', () => {
    const node = ['--node', 'https://chat.example']
    expect(wrong()).toBe('--node is missing')
    expect(wrong('--node', 'chat.example')).toBe('--node: not a base URL')
    expect(wrong(...node, '--second', 'https://x/path')).toBe('--second: not a base URL')
    expect(wrong(...node, '--peer', 'A_b')).toBe('--peer: a server name, each once')
    expect(wrong(...node, '--peer', 'a.test', '--peer', 'a.test')).toMatch(/^--peer/)
    expect(wrong(...node, '--peer-listen', 'nowhere')).toBe('--peer-listen: HOST:PORT')
    expect(wrong(...node, '--peer-key', 'x')).toMatch(/go together/)
    expect(wrong(...node, '--weaken', 'x')).toMatch(/weaken/)
    expect(wrong(...node, 'loose')).toMatch(/loose/)
  })
})

describe('a choice of cases', () => {
  it('goes by name or by section and what is below it', () => {
    const one = { name: 'takes a signed request once', section: '15.3', run: async () => undefined }
    for (const only of [null, 'signed request', '15.3', '15'])
      expect([only, choosing(only)(one)]).toEqual([only, true])
    for (const only of ['1', '15.30', 'unsigned'])
      expect([only, choosing(only)(one)]).toEqual([only, false])
  })
})
