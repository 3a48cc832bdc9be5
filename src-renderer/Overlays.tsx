/** Draws the one dialog that may be open. */
import { DeleteMessage, OpenLink } from './conversation/ConversationDialogs.tsx'
import { MessageDetails } from './conversation/MessageDetails.tsx'
import { BanMember, RemoveMember } from './details/DoorDialogs.tsx'
import { MemberRole, RoomAccess } from './details/ChoiceDialogs.tsx'
import { InviteToRoom, LeaveRoom, RenameRoom } from './details/RoomDialogs.tsx'
import { Palette } from './palette/Palette.tsx'
import { Shortcuts } from './palette/Shortcuts.tsx'
import { Settings } from './settings/Settings.tsx'
import { NewConversation } from './start/NewConversation.tsx'
import { NewGroup } from './start/NewGroup.tsx'
import { useApp } from './store/react.ts'

export function Overlays() {
  const overlay = useApp((state) => state.overlay)
  switch (overlay?.kind) {
    case undefined:
    case 'sign-in':
      return null
    case 'palette':
      return <Palette />
    case 'shortcuts':
      return <Shortcuts />
    case 'new-conversation':
      return <NewConversation key={overlay.who ?? ''} who={overlay.who ?? ''} />
    case 'new-group':
      return <NewGroup />
    case 'settings':
      return <Settings section={overlay.section} />
    case 'invite':
      return <InviteToRoom room={overlay.room} />
    case 'rename':
      return <RenameRoom room={overlay.room} />
    case 'leave':
      return <LeaveRoom room={overlay.room} />
    case 'remove-member':
      return <RemoveMember room={overlay.room} member={overlay.member} />
    case 'ban-member':
      return <BanMember room={overlay.room} member={overlay.member} />
    case 'member-role':
      return <MemberRole room={overlay.room} member={overlay.member} />
    case 'room-access':
      return <RoomAccess room={overlay.room} />
    case 'delete-message':
      return <DeleteMessage room={overlay.room} envelope={overlay.envelope} />
    case 'message-details':
      return <MessageDetails room={overlay.room} itemKey={overlay.key} />
    case 'open-link':
      return <OpenLink url={overlay.url} />
  }
}
