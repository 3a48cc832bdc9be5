import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSystemRandom } from '../../src-platform/system-random.ts'
import { createNobleCrypto, toBase64Url, toHex } from '../../src-shared/protocol/index.ts'
import { KeyRing, KeyRingError } from './key-ring.ts'
import { createKeychain } from './keychain.ts'
import type { Keychain, KeychainState } from './keychain.ts'

/** A keychain that can be locked, replaced and taken away. */
class FakeKeychain implements Keychain {
  current: KeychainState = 'available'
  secret = 1
  async state(): Promise<KeychainState> {
    return this.current
  }
  async wrap(text: string): Promise<Uint8Array> {
    if (this.current !== 'available') throw new Error('no keychain')
    return Buffer.from(`${this.secret}:${Buffer.from(text).toString('hex')}`)
  }
  async unwrap(wrapped: Uint8Array): Promise<string> {
    if (this.current !== 'available') throw new Error('no keychain')
    const [secret, hex] = Buffer.from(wrapped).toString().split(':')
    if (secret !== String(this.secret)) throw new Error('cannot decrypt')
    return Buffer.from(hex ?? '', 'hex').toString()
  }
}

let folder: string
let path: string
let keychain: FakeKeychain
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'privchat-key-ring-'))
  path = join(folder, 'vault-key.json')
  keychain = new FakeKeychain()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const ring = (): KeyRing =>
  new KeyRing({
    path,
    keychain,
    crypto: createNobleCrypto(),
    random: createSystemRandom(),
    cost: { memory: 64, passes: 1, lanes: 1 },
  })
async function codeOf(work: Promise<unknown>): Promise<string | null> {
  try {
    await work
    return null
  } catch (error) {
    if (error instanceof KeyRingError) return error.code
    throw error
  }
}
const keyOf = (r: KeyRing): string => toHex(r.derive('test'))

describe('with a keychain', () => {
  it('makes a key without asking, and opens with it again', async () => {
    const first = ring()
    expect(await first.open()).toEqual({ state: 'empty' })
    await first.create(null)
    const again = ring()
    expect(await again.open()).toEqual({ state: 'open' })
    expect(keyOf(again)).toBe(keyOf(first))
  })

  it('never makes a second key over an existing one', async () => {
    await ring().create(null)
    const before = readFileSync(path)
    expect(await codeOf(ring().create(null))).toBe('not_allowed')
    expect(await codeOf(ring().create('a long passphrase'))).toBe('not_allowed')
    expect(readFileSync(path)).toEqual(before)
  })

  it('says that the keychain is locked, leaves the file alone, and opens when it is back', async () => {
    await ring().create(null)
    const before = readFileSync(path)
    for (const state of ['unreadable', 'none'] as const) {
      keychain.current = state
      expect(await ring().open()).toEqual({
        state: 'problem',
        what: 'keychain_locked',
        canUsePassphrase: false,
      })
      expect(await codeOf(ring().create(null))).toBe('not_allowed')
    }
    expect(readFileSync(path)).toEqual(before)
    keychain.current = 'available'
    expect(await ring().open()).toEqual({ state: 'open' })
  })

  it('opens with the passphrase while the keychain is locked, without giving up its wrap', async () => {
    const first = ring()
    await first.create(null)
    await first.setPassphrase('correct horse', null)
    const before = readFileSync(path)
    keychain.current = 'unreadable'
    const locked = ring()
    expect(await locked.open()).toMatchObject({ what: 'keychain_locked', canUsePassphrase: true })
    await locked.unlock('correct horse')
    expect(keyOf(locked)).toBe(keyOf(first))
    expect(readFileSync(path)).toEqual(before)
  })

  it('mends the wrap of a keychain that changed, once the passphrase has proven the key', async () => {
    const first = ring()
    await first.create(null)
    await first.setPassphrase('correct horse', null)
    keychain.secret = 2
    const changed = ring()
    expect(await changed.open()).toMatchObject({ what: 'keychain_changed', canUsePassphrase: true })
    expect(await codeOf(changed.unlock('wrong horse'))).toBe('wrong_passphrase')
    expect(await ring().open()).toMatchObject({ what: 'keychain_changed' })
    await changed.unlock('correct horse')
    const after = ring()
    expect(await after.open()).toEqual({ state: 'open' })
    expect(keyOf(after)).toBe(keyOf(first))
  })

  it('takes a keychain that answers with another key for changed', async () => {
    await ring().create(null)
    const file = JSON.parse(readFileSync(path, 'utf8'))
    const other = toBase64Url(new Uint8Array(32).fill(9))
    file.keychain = toBase64Url(await keychain.wrap(other))
    writeFileSync(path, JSON.stringify(file))
    expect(await ring().open()).toMatchObject({ what: 'keychain_changed', canUsePassphrase: false })
  })

  it('stays locked after a restart, until the passphrase comes', async () => {
    const first = ring()
    await first.create(null)
    expect(await codeOf(first.lock())).toBe('not_allowed')
    await first.setPassphrase('correct horse', null)
    const key = keyOf(first)
    await first.lock()
    expect(() => first.derive('test')).toThrow('locked')
    const again = ring()
    expect(await again.open()).toEqual({ state: 'locked' })
    await again.unlock('correct horse')
    expect(keyOf(again)).toBe(key)
    expect(await ring().open()).toEqual({ state: 'open' })
  })
})

describe('without a keychain', () => {
  beforeEach(() => {
    keychain.current = 'none'
  })

  it('makes no key until there is a passphrase', async () => {
    expect(await ring().open()).toEqual({ state: 'empty' })
    expect(await codeOf(ring().create(null))).toBe('keychain_unavailable')
    expect(readdirSync(folder)).toEqual([])
    expect(await codeOf(ring().create('short'))).toBe('weak_password')
    expect(readdirSync(folder)).toEqual([])
  })

  it('asks for the passphrase at each start, even once a keychain has appeared', async () => {
    const first = ring()
    await first.create('correct horse')
    keychain.current = 'available'
    const again = ring()
    expect(await again.open()).toEqual({ state: 'locked' })
    expect(await codeOf(again.unlock('wrong horse'))).toBe('wrong_passphrase')
    expect(() => again.derive('test')).toThrow('locked')
    await again.unlock('correct horse')
    expect(keyOf(again)).toBe(keyOf(first))
    expect(await ring().open()).toEqual({ state: 'locked' })
  })

  it('takes the same passphrase in whatever form it was typed', async () => {
    await ring().create('Schlüssel für alle')
    await ring().unlock('Schlu\u0308ssel fu\u0308r alle')
  })

  it('replaces the passphrase only for who knows the current one', async () => {
    const first = ring()
    await first.create('correct horse')
    expect(await codeOf(first.setPassphrase('another horse', null))).toBe('wrong_passphrase')
    expect(await codeOf(first.setPassphrase('another horse', 'wrong horse'))).toBe(
      'wrong_passphrase',
    )
    await first.setPassphrase('another horse', 'correct horse')
    expect(await codeOf(ring().unlock('correct horse'))).toBe('wrong_passphrase')
    await ring().unlock('another horse')
  })

  it('refuses a wrap whose cost was lowered', async () => {
    await ring().create('correct horse')
    const file = JSON.parse(readFileSync(path, 'utf8'))
    file.passphrase.cost.memory = 32
    writeFileSync(path, JSON.stringify(file))
    expect(await codeOf(ring().unlock('correct horse'))).toBe('wrong_passphrase')
  })
})

describe('the key file', () => {
  it('never holds the key in any plain form', async () => {
    const random = createSystemRandom()
    const key = new Uint8Array(32).fill(0x5a)
    const fixed = { bytes: (n: number) => (n === 32 ? key.slice() : random.bytes(n)) }
    const subject = new KeyRing({
      path,
      keychain: {
        ...keychain,
        state: async () => 'none',
        wrap: keychain.wrap,
        unwrap: keychain.unwrap,
      },
      crypto: createNobleCrypto(),
      random: fixed,
      cost: { memory: 64, passes: 1, lanes: 1 },
    })
    await subject.create('correct horse')
    const file = readFileSync(path, 'utf8')
    expect(file).not.toContain(toHex(key))
    expect(file).not.toContain(toBase64Url(key))
    expect(file).not.toContain('correct horse')
  })

  it('is reported and kept where it is damaged or of a newer version', async () => {
    for (const [content, what] of [
      ['not json', 'record_corrupted'],
      ['{"version":1}', 'record_corrupted'],
      ['{"version":2,"keys":[]}', 'newer_version'],
    ] as const) {
      writeFileSync(path, content)
      expect(await ring().open()).toEqual({ state: 'problem', what, canUsePassphrase: false })
      expect(await codeOf(ring().create('correct horse'))).toBe('not_allowed')
      expect(await codeOf(ring().unlock('correct horse'))).toBe('not_allowed')
      expect(readFileSync(path, 'utf8')).toBe(content)
    }
  })
})

describe('the keychain over safeStorage', () => {
  const storage = (backend: string, available: boolean) =>
    ({
      getSelectedStorageBackend: () => backend,
      isAsyncEncryptionAvailable: async () => available,
    }) as unknown as Electron.SafeStorage

  it('counts the basic_text backend as no keychain', async () => {
    expect(await createKeychain(storage('basic_text', true), 'linux').state()).toBe('none')
    expect(await createKeychain(storage('gnome_libsecret', true), 'linux').state()).toBe(
      'available',
    )
  })

  it('tells an unreadable keychain from none', async () => {
    expect(await createKeychain(storage('kwallet6', false), 'linux').state()).toBe('unreadable')
    expect(await createKeychain(storage('', false), 'darwin').state()).toBe('unreadable')
  })
})
