import { parseUserId } from '../../src-shared/protocol/index.ts'
import type { PrekeyBundle, PublicPrekey } from '../../src-shared/protocol/index.ts'
import type { Body } from '../../src-shared/api/index.ts'
import { accountOf, deviceKeys } from '../accounts.ts'
import type { Context } from '../context.ts'
import { PeerError } from '../federation/peer-calls.ts'
import type { Handler } from '../http/call.ts'
import type { Tx } from '../storage/index.ts'

type Wanted = Body<'claimKeys'>['devices'][number]

interface Claimed {
  readonly bundles: { member: string; device: string; bundle: PrekeyBundle }[]
  readonly missing: { member: string; device: string }[]
}

export const claimKeys: Handler<'claimKeys'> = async (context, { caller, body }) => {
  const own = context.config.serverName
  const byServer = Map.groupBy(body.devices, ({ user_id }) => parseUserId(user_id)?.server ?? '')
  const parts = await Promise.all(
    [...byServer].map(([server, devices]) =>
      server === own
        ? context.storage.write((tx) => claimBundles(context, tx, caller.member, devices))
        : claimRemote(context, server, caller.member, devices),
    ),
  )
  const missing = new Set(parts.flatMap((part) => part.missing.map(nameOf)))
  return {
    bundles: parts.flatMap((part) => part.bundles),
    missing: body.devices
      .filter((wanted) => missing.has(nameOf(wanted)))
      .map(({ member, device }) => ({ member, device })),
  }
}

function nameOf({ member, device }: { readonly member: string; readonly device: string }): string {
  return `${member}/${device}`
}

/** Of accounts here. `claimer` is by whom claims are counted. */
export async function claimBundles(
  context: Context,
  tx: Tx,
  claimer: string,
  devices: readonly Wanted[],
): Promise<Claimed> {
  const claimed: Claimed = { bundles: [], missing: [] }
  for (const wanted of devices) {
    const { member, device } = wanted
    const bundle = await bundleOf(context, tx, claimer, wanted)
    if (bundle === undefined) claimed.missing.push({ member, device })
    else claimed.bundles.push({ member, device, bundle })
  }
  return claimed
}

/** A server that does not answer now has none to give now. */
async function claimRemote(
  context: Context,
  server: string,
  claimer: string,
  devices: readonly Wanted[],
): Promise<Claimed> {
  const none = devices.map(({ member, device }) => ({ member, device }))
  try {
    const body = { claimer, devices: [...devices] }
    const answer = await context.peers.call(server, 'claimKeys', { body, timeoutMs: 10_000 })
    if (!answer.ok) return { bundles: [], missing: none }
    const asked = new Set(none.map(({ member, device }) => `${member}/${device}`))
    const bundles = answer.value.bundles.filter(({ member, device }) =>
      asked.delete(`${member}/${device}`),
    )
    return {
      bundles,
      missing: none.filter(({ member, device }) => asked.has(`${member}/${device}`)),
    }
  } catch (error) {
    if (error instanceof PeerError) return { bundles: [], missing: none }
    throw error
  }
}

async function bundleOf(
  context: Context,
  tx: Tx,
  claimer: string,
  { user_id, member, device }: Wanted,
): Promise<PrekeyBundle | undefined> {
  const account = await accountOf(context, tx, user_id)
  if (account?.member !== member) return undefined
  const row = await tx.devices.get(member, device)
  const signed = await tx.prekeys.current(member, device, 'signed')
  if (row?.status !== 'active' || signed === undefined) return undefined
  // One account must not be able to empty another's pool; the signed prekey alone serves as well.
  const may = await mayClaim(context, tx, `${claimer}/${member}/${device}`)
  const oneTime = may ? await tx.prekeys.claim(member, device) : undefined
  const kem = await tx.prekeys.current(member, device, 'kem')
  if (oneTime !== undefined)
    await tx.streams.append('prekeys', device, null, [{ member, device }], context.now())
  return {
    device: { member, ...deviceKeys(row) },
    signed: read(signed),
    ...(oneTime === undefined ? {} : { one_time: read(oneTime) }),
    ...(kem === undefined ? {} : { kem: read(kem) }),
  }
}

async function mayClaim(context: Context, tx: Tx, key: string): Promise<boolean> {
  const limit = context.config.rateLimits?.oneTimePrekeys
  if (limit === undefined || !context.storage.shared)
    return context.prekeyQuota.take(key, context.now())
  const { taken } = await tx.counters.count(`prekeys/${key}`, limit.windowMs, context.now())
  return taken <= limit.max
}

function read(text: string): PublicPrekey {
  return JSON.parse(text) as PublicPrekey
}
