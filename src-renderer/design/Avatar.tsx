import { hueOf, initialsOf } from './initials.ts'
import './avatar.css'

interface AvatarProps {
  id: string
  name: string
  size?: number
  group?: boolean
}

/** Decoration: the name stands beside it, so it is hidden from screen readers. */
export function Avatar({ id, name, size = 40, group = false }: AvatarProps) {
  return (
    <span
      className="avatar"
      data-hue={hueOf(id)}
      data-group={group}
      aria-hidden="true"
      style={{ width: size, height: size, fontSize: Math.round(size * 0.37) }}
    >
      {initialsOf(name)}
    </span>
  )
}
