import { describe, expect, it } from 'vitest'
import { applyRelation } from './stored-item.ts'
import type { StoredMessage, StoredRelation } from './stored-item.ts'

const message: StoredMessage = {
  kind: 'message',
  key: 'k',
  envelope: 'e',
  member: 'ada',
  userId: '@ada:a.test',
  device: 'd',
  ts: 100,
  text: 'first',
  protection: { state: 'protected' },
  warnings: [],
  replyTo: null,
  edit: null,
  deleted: false,
  reactions: [],
  delivered: [],
  read: [],
  bridge: null,
  expiresAt: null,
}

const relation = (fields: Partial<StoredRelation>): StoredRelation => ({
  kind: 'edit',
  target: 'e',
  member: 'ada',
  envelope: 'r',
  ts: 200,
  text: 'second',
  on: true,
  moderator: false,
  ...fields,
})

const after = (...relations: Partial<StoredRelation>[]): StoredMessage =>
  relations.map(relation).reduce(applyRelation, message)

describe('what later envelopes do to a message', () => {
  it('an edit counts from the author alone, the latest wins in whatever order they arrive', () => {
    const early = { ts: 200, text: 'second', envelope: 'a' }
    const late = { ts: 300, text: 'third', envelope: 'b' }
    expect(after({ member: 'ben' })).toBe(message)
    expect(after(early, late).text).toBe('third')
    expect(after(late, early).text).toBe('third')
  })

  it('two edits in the same millisecond end the same way everywhere', () => {
    const one = { ts: 200, text: 'one', envelope: 'a' }
    const two = { ts: 200, text: 'two', envelope: 'b' }
    expect(after(one, two).text).toBe(after(two, one).text)
  })

  it('a deletion counts from the author, a redaction also from a moderator', () => {
    expect(after({ kind: 'delete', member: 'ben' })).toBe(message)
    expect(after({ kind: 'redaction', member: 'ben' })).toBe(message)
    expect(after({ kind: 'redaction', member: 'ben', moderator: true }).deleted).toBe(true)
    const deleted = after({ kind: 'delete' })
    expect(deleted).toMatchObject({ deleted: true, text: '' })
  })

  it('what is deleted stays deleted', () => {
    const gone = after({ kind: 'delete' }, { ts: 900 }, { kind: 'reaction', text: '👍' })
    expect(gone).toMatchObject({ deleted: true, text: '', reactions: [] })
  })

  it('a reaction taken back stays back when the older envelope arrives late', () => {
    const on = { kind: 'reaction', text: '👍', member: 'ben', ts: 200 } as const
    const off = { ...on, ts: 300, on: false }
    expect(after(on).reactions).toEqual([{ emoji: '👍', member: 'ben', ts: 200, on: true }])
    expect(after(on, off).reactions[0]?.on).toBe(false)
    expect(after(off, on).reactions[0]?.on).toBe(false)
  })

  it('a receipt counts once, and never from the author', () => {
    const receipt = { kind: 'delivered', member: 'ben' } as const
    expect(after(receipt, receipt).delivered).toEqual(['ben'])
    expect(after({ kind: 'delivered', member: 'ada' })).toBe(message)
  })
})
