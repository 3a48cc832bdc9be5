import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keyFileIn, loadNodeKeys, rotateNodeKey } from './signing-key.ts'
import { crypto, random } from '../conformance/device.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eccp-keys-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))
const inputs = (now: number) => ({ crypto, file: keyFileIn(folder), random, now })

describe('the signing key', () => {
  it('is made once, kept, and readable by the owner alone', () => {
    const made = loadNodeKeys(inputs(1))
    expect(loadNodeKeys(inputs(2))).toEqual(made)
    expect(statSync(join(folder, 'signing-key.json')).mode & 0o777).toBe(0o600)
  })

  it('is followed by another, and stays published for what it signed', () => {
    const before = loadNodeKeys(inputs(1))
    const after = rotateNodeKey(inputs(5))
    expect(after.current.keyId).not.toBe(before.current.keyId)
    expect(after.published[1]).toEqual({ ...before.published[0], until: 5 })
    expect(loadNodeKeys(inputs(9))).toEqual(after)
  })

  it('is never replaced because its file does not read', () => {
    loadNodeKeys(inputs(1))
    writeFileSync(join(folder, 'signing-key.json'), '{')
    expect(() => loadNodeKeys(inputs(2))).toThrow()
  })
})
