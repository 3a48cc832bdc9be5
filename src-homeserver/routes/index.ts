/** Every endpoint of the contract with what it does; a missing one is a type error. */
import type { EndpointName } from '../../src-shared/api/index.ts'
import type { Handler } from '../http/call.ts'
import { appendManifest } from './append-manifest.ts'
import { capabilities } from './capabilities.ts'
import { claimKeys } from './claim-keys.ts'
import { createRoom } from './create-room.ts'
import { devices } from './devices.ts'
import { dismissDevice } from './dismiss-device.ts'
import { health } from './health.ts'
import { login } from './login.ts'
import { logout } from './logout.ts'
import { manifest } from './manifest.ts'
import { messages } from './messages.ts'
import { nameDevice } from './name-device.ts'
import { pairing } from './pairing.ts'
import { profile } from './profile.ts'
import { receipts } from './receipts.ts'
import { register } from './register.ts'
import { roomServers } from './room-servers.ts'
import { send } from './send.ts'
import { serverKeys } from './server-keys.ts'
import { setProfile } from './set-profile.ts'
import { state } from './state.ts'
import { sync, syncWindows } from './sync.ts'
import { toDevice } from './to-device.ts'
import { typing } from './typing.ts'
import { uploadKeys } from './upload-keys.ts'
import { whoami } from './whoami.ts'

export const routes: { readonly [N in EndpointName]: Handler<N> } = {
  appendManifest,
  capabilities,
  claimKeys,
  createRoom,
  devices,
  dismissDevice,
  health,
  login,
  logout,
  manifest,
  messages,
  nameDevice,
  pairing,
  profile,
  receipts,
  register,
  roomServers,
  send,
  serverKeys,
  setProfile,
  state,
  sync,
  syncWindows,
  toDevice,
  typing,
  uploadKeys,
  whoami,
}
