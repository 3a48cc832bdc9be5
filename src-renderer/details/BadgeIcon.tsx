import { Ghost, House, LockKeyhole, Server, TriangleAlert, Waypoints } from 'lucide-react'
import type { Badge } from './badges.ts'

const icons = {
  lock: LockKeyhole,
  ghost: Ghost,
  bridge: Waypoints,
  home: House,
  server: Server,
  warning: TriangleAlert,
} satisfies Record<Badge['icon'], unknown>

export function BadgeIcon({ icon, size }: { icon: Badge['icon']; size: number }) {
  const Icon = icons[icon]
  return <Icon size={size} aria-hidden="true" />
}
