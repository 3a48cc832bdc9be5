import type { RoomSummary } from '../../src-shared/view-model/index.ts'
import { Avatar } from '../design/Avatar.tsx'

/** A direct room wears the colour of the person in it. */
export function RoomAvatar({
  room,
  name = room.name,
  size,
}: {
  room: RoomSummary
  name?: string
  size: number
}) {
  return <Avatar id={room.peer ?? room.id} name={name} size={size} group={room.kind === 'group'} />
}
