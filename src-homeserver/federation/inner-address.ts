/** Addresses inside the operator's network or machine, where no stranger's server has to be. */
import { BlockList, isIP } from 'node:net'

const inner = new BlockList()
for (const [address, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  inner.addSubnet(address, bits, 'ipv4')
for (const [address, bits] of [
  ['::', 128],
  ['::1', 128],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  inner.addSubnet(address, bits, 'ipv6')

/** Whether an address lies inside the operator's network or machine, where no other server has to be. */
export function isInnerAddress(address: string): boolean {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return isInnerAddress(mapped)
  const family = isIP(address)
  return family === 0 || inner.check(address, family === 6 ? 'ipv6' : 'ipv4')
}
