/** Transport (Rosters, wraps, chains §6): wraps, sender chains, and messages between devices. */
export {
  chainDistributionSchema,
  chainId,
  MAX_CHAIN_AGE,
  mustRotate,
  parseSendingChain,
  sendingChainSchema,
  shareChain,
  startSendingChain,
  takeChainKey,
  withoutChain,
} from './chain.ts'
export type {
  ChainDevice,
  ChainDistribution,
  ChainOrigin,
  RotationReason,
  SendingChain,
} from './chain.ts'
export * from './chain-receiving.ts'
export * from './pairwise.ts'
export * from './to-device.ts'
