/**
 * The one table of labels (Encoding §1): every hash, signature, MAC and key derivation of the protocol
 * starts with exactly one of these, so nothing made as one thing passes as another.
 *
 * A label names its kind and version and is never reused for bytes of another shape.
 */
export const LABELS = {
  // Envelope and event (Two objects §5)
  envelope: 'eccp/envelope/1',
  envelopeSignature: 'eccp/envelope-signature/1',
  event: 'eccp/event/1',
  eventSignature: 'eccp/event-signature/1',
  envelopeHeader: 'eccp/envelope-header/1',
  body: 'eccp/body/1',
  commit: 'eccp/commit/1',
  contentKey: 'eccp/content-key/1',
  roster: 'eccp/roster/1',
  receipt: 'eccp/receipt/1',

  // Device manifest (Identity §2, Recovery §10)
  manifestEntry: 'eccp/manifest-entry/1',
  manifestBy: 'eccp/manifest-entry-by/1',
  manifestPossession: 'eccp/manifest-entry-possession/1',
  manifestRecovery: 'eccp/manifest-entry-recovery/1',
  manifestNewRecovery: 'eccp/manifest-entry-new-recovery/1',
  recoveryEd25519: 'eccp/recovery-ed25519/1',
  recoveryX25519: 'eccp/recovery-x25519/1',
  sas: 'eccp/sas/1',
  sasCommit: 'eccp/sas-commit/1',
  deviceNames: 'eccp/device-names/1',

  // Handshake (§3)
  prekeySigned: 'eccp/prekey-signed/1',
  prekeyOneTime: 'eccp/prekey-one-time/1',
  prekeyKem: 'eccp/prekey-kem/1',
  prekeyKemLastResort: 'eccp/prekey-kem-last-resort/1',
  handshakeRoot: 'eccp/handshake-root/1',
  handshakeAd: 'eccp/handshake-ad/1',
  session: 'eccp/session/1',

  // Double Ratchet (§4)
  ratchetRoot: 'eccp/ratchet-root/1',
  ratchetChain: 'eccp/ratchet-chain/1',
  ratchetMessage: 'eccp/ratchet-message/1',
  ratchetHeader: 'eccp/ratchet-header/1',

  // Wraps and chains (§6)
  wrap: 'eccp/wrap/1',
  toDevice: 'eccp/to-device/1',
  chainKey: 'eccp/chain-key/1',
  chainMessage: 'eccp/chain-message/1',
  chainDistribution: 'eccp/chain-distribution/1',

  // Between client and node, and between nodes
  login: 'eccp/login/1',
  request: 'eccp/request/1',
  serverRequest: 'eccp/server-request/1',
  serverKey: 'eccp/server-key/1',

  // Attachments (§9) and the archive (§10)
  attachmentKey: 'eccp/attachment-key/1',
  attachmentChunk: 'eccp/attachment-chunk/1',
  archiveEpoch: 'eccp/archive-epoch/1',
  archiveEpochKey: 'eccp/archive-epoch-key/1',
  archiveEpochCommit: 'eccp/archive-epoch-commit/1',
  archivePrevious: 'eccp/archive-previous/1',
  archiveSegment: 'eccp/archive-segment/1',
  archiveSegmentHeader: 'eccp/archive-segment-header/1',
  archiveSegmentSignature: 'eccp/archive-segment-signature/1',
  archiveRecord: 'eccp/archive-record/1',

  // Shadow Rooms (§12)
  shadowKeys: 'eccp/shadow-keys/1',
  shadowMetadata: 'eccp/shadow-metadata/1',
  shadowType: 'eccp/shadow-type/1',
  shadowStateKey: 'eccp/shadow-state-key/1',
  shadowCertificate: 'eccp/shadow-certificate/1',
  shadowPossession: 'eccp/shadow-possession/1',
} as const

export type Label = (typeof LABELS)[keyof typeof LABELS]
