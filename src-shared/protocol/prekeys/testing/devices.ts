/** Devices, prekeys and randomness for tests, all from a seed. */
import { canonicalBytes, parseJson, toBase64Url, toUtf8 } from '../../encoding/index.ts'
import type { Json } from '../../encoding/index.ts'
import { crypto } from '../../testing/crypto.ts'
import { generatePrekeys, pendingUpload } from '../index.ts'
import type { LocalDevice, PeerDevice, PrekeyBundle, PrekeyState, Random } from '../index.ts'

export { crypto }

/** Deterministic; counts the bytes out of SHA-256 blocks. */
export function seededRandom(seed: string): Random {
  let counter = 0
  return (length) => {
    const out = new Uint8Array(length)
    for (let offset = 0; offset < length; offset += 32) {
      const block = crypto.sha256(toUtf8(`${seed}/${counter++}`))
      out.set(block.subarray(0, Math.min(32, length - offset)), offset)
    }
    return out
  }
}

const devices = new Map<string, LocalDevice>()
const prekeyStates = new Map<string, PrekeyState>()

/** The same seed gives the same device. */
export function makeDevice(seed: string): LocalDevice {
  return remembered(devices, seed, () => {
    const random = seededRandom(`device/${seed}`)
    const ed25519Secret = random(32)
    const x25519Secret = random(32)
    return {
      member: toBase64Url(random(32)),
      device: toBase64Url(random(12)),
      head: toBase64Url(random(32)),
      ed25519Secret,
      ed25519: crypto.ed25519PublicKey(ed25519Secret),
      x25519Secret,
      x25519: crypto.x25519PublicKey(x25519Secret),
      minSuite: 1,
    }
  })
}

export function makePrekeys(local: LocalDevice, stock: number, now = 0): PrekeyState {
  return remembered(prekeyStates, `${local.device}/${stock}/${now}`, () => {
    const random = seededRandom(`prekeys/${local.device}`)
    return generatePrekeys({ crypto, random, local, now, stock })
  })
}

export function asPeer(local: LocalDevice): PeerDevice {
  const { member, device, head, ed25519, x25519, minSuite } = local
  return { member, device, head, ed25519, x25519, minSuite }
}

/** What a node would hand out; `oneTime` is a position in the stock, `null` an empty pool. */
export function bundleOf(
  local: LocalDevice,
  state: PrekeyState,
  oneTime: number | null = null,
): PrekeyBundle {
  const upload = pendingUpload(state)
  const { signed, kem } = upload ?? {}
  if (signed === undefined || kem === undefined) throw new Error('prekeys already published')
  const one_time = oneTime === null ? undefined : upload?.one_time?.[oneTime]
  return {
    device: {
      member: local.member,
      id: local.device,
      ed25519: toBase64Url(local.ed25519),
      x25519: toBase64Url(local.x25519),
      min_suite: local.minSuite,
    },
    signed,
    kem,
    ...(one_time && { one_time }),
  }
}

/** Through bytes and back, as a vault would. */
export function throughStorage(value: Json): Json {
  return parseJson(canonicalBytes(value), { maxBytes: 16 * 1024 * 1024, canonical: true })
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  const value = known.get(key) ?? make()
  known.set(key, value)
  return value
}
