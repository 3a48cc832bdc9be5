import { describe, expect, it } from 'vitest'
import {
  activateRequest,
  readRecoveryNotice,
  recoverDevice,
  recoveryNotices,
  recoveryNoticeSchema,
  vetoRequest,
} from './index.ts'
import type { ManifestState, RecoveryNotice } from './index.ts'
import { add, after, begin, crypto, device, secretOf, words } from './testing/account.ts'
import { toBase64Url } from '../encoding/index.ts'

const first = device('first')
const second = device('second')
const two = after(begin(), (state) => add(state, first, second))
const ask = (name: string) => (state: ManifestState) =>
  recoverDevice(crypto, state, device(name), words('old'))
const veto = (state: ManifestState) => vetoRequest(crypto, state, second, state.head)
const asked = after(two, ask('fresh'))
const [notice] = recoveryNotices(two, asked) as [RecoveryNotice]
const hash = toBase64Url(secretOf('no entry'))

describe('a contact', () => {
  it('says each request once, when it first sees it', () => {
    expect(notice).toEqual({
      kind: 'recovery_notice',
      account: two.fingerprint,
      request: asked.head,
      head: asked.head,
    })
    expect(recoveryNoticeSchema.parse(notice)).toEqual(notice)
    const later = after(asked, veto)
    expect(recoveryNotices(asked, later)).toEqual([])
    const again = after(later, ask('thief'))
    expect(recoveryNotices(later, again).map(({ request }) => request)).toEqual([again.head])
    expect(recoveryNotices(two, again).map(({ request }) => request)).toEqual([
      asked.head,
      again.head,
    ])
  })

  it('says one that was kept from it until it was activated', () => {
    const entered = after(asked, (state) =>
      activateRequest(crypto, state, words('old'), asked.head),
    )
    expect(recoveryNotices(two, entered)).toEqual([{ ...notice, head: entered.head }])
  })

  it('says nothing of what was there when it pinned the account', () => {
    expect(recoveryNotices(null, asked)).toEqual([])
  })
})

describe('a device of the account', () => {
  it('finds that the request waits, has ended, or is withheld from it', () => {
    expect(readRecoveryNotice(asked, notice)).toEqual({ ok: true, finding: 'waiting' })
    expect(readRecoveryNotice(after(asked, veto), notice)).toEqual({ ok: true, finding: 'ended' })
    expect(readRecoveryNotice(two, notice)).toEqual({ ok: true, finding: 'withheld' })
  })

  it('refuses what its own log contradicts, and what is about another account', () => {
    const lie = (change: Partial<RecoveryNotice>, own = asked) =>
      readRecoveryNotice(own, { ...notice, ...change })
    expect(lie({ request: hash })).toEqual({ ok: false, code: 'unknown_request' })
    expect(lie({ request: two.head, head: hash })).toEqual({ ok: false, code: 'unknown_request' })
    expect(lie({ account: hash })).toEqual({ ok: false, code: 'wrong_account' })
    expect(lie({ request: hash, head: hash })).toEqual({ ok: true, finding: 'withheld' })
  })
})
