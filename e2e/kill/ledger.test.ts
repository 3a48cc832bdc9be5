import { describe, expect, it } from 'vitest'
import type { Exchange } from '../driver/recording-proxy.ts'
import { Ledger } from './ledger.ts'

const put = (body: unknown): Exchange => ({
  method: 'PUT',
  path: '/x',
  requestBody: Buffer.from(JSON.stringify(body)),
  authorization: null,
  status: 200,
  responseBody: null,
})
const wrap = (n: number, ciphertext: string) => ({
  session: 's',
  message: { header: { key: 'k', n }, ciphertext },
})
const sent = (seq: number, n: number, ciphertext: string): Exchange =>
  put({ envelope: { room: 'r', device: 'd', seq, body: ciphertext }, wraps: [wrap(n, ciphertext)] })
const message = (text: string, protection = 'protected') => ({ text, protection, warnings: [] })
const shows = (...messages: ReturnType<typeof message>[]) => ({ messages, notices: [] })

function ledger(accepted: string[], unconfirmed: string[] = []): Ledger {
  const made = new Ledger()
  for (const text of accepted) made.accepted.add(text)
  for (const text of unconfirmed) made.unconfirmed.add(text)
  return made
}

describe('the judge of the kill test', () => {
  const wire = [sent(0, 0, 'aa'), sent(0, 0, 'aa'), sent(1, 1, 'bb')]

  it('acquits where everything is there once, identical repetitions included', () => {
    expect(
      ledger(['a', 'b'], ['c']).judge(
        { ada: shows(message('a'), message('b')), bo: shows(message('a'), message('b')) },
        wire,
      ),
    ).toEqual([])
  })
  it('sees a lost message', () => {
    expect(ledger(['a']).judge({ ada: shows(message('a')), bo: shows() }, wire)).toEqual([
      'bo has "a" 0 times',
    ])
  })
  it('sees a doubled message', () => {
    expect(ledger(['a']).judge({ bo: shows(message('a'), message('a')) }, wire)).toEqual([
      'bo has "a" 2 times',
    ])
  })
  it('sees a message that cannot be read', () => {
    expect(ledger(['a']).judge({ bo: shows(message('a', 'unreadable')) }, wire)).toEqual([
      'bo is shown a message as unreadable',
    ])
  })
  it('sees an unconfirmed message that only one side has', () => {
    expect(ledger([], ['c']).judge({ ada: shows(message('c')), bo: shows() }, wire)).toHaveLength(1)
  })
  it('sees a message key used twice', () => {
    expect(ledger([]).judge({}, [sent(0, 4, 'aa'), sent(1, 4, 'bb')])).toEqual([
      'message key 4 of a ratchet was used for two messages',
    ])
  })
  it('sees a sequence number used twice', () => {
    expect(ledger([]).judge({}, [sent(7, 0, 'aa'), sent(7, 1, 'bb')])).toEqual([
      'number 7 of a device was used for two envelopes',
    ])
  })
  it('does not acquit where nothing was seen', () => {
    expect(ledger([]).judge({}, [])).toEqual(['nothing encrypted crossed the wire'])
  })
})
