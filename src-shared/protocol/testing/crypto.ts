/**
 * The adapter that the protocol's own tests run on: the native one, which is many times faster. That both
 * adapters agree is the fixtures' business, and Wycheproof's.
 */
import { createNativeCrypto } from '../../../src-platform/crypto/native-crypto.ts'
import type { Crypto } from '../crypto.ts'

export const crypto: Crypto = createNativeCrypto({ replayable: true })
