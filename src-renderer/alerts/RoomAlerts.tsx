import { ShieldAlert, X } from 'lucide-react'
import { Button, IconButton } from '../design/Button.tsx'
import { arrangeAlerts } from '../store/alerts.ts'
import { useApp, useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import { alertText } from './alert-text.ts'

/** Tier 3: what concerns the open room alone. */
export function RoomAlerts({ room }: { room: string }) {
  const core = useCore()
  const alerts = useApp((state) => state.alerts)
  const { inRoom } = arrangeAlerts(alerts, room)
  return inRoom.map((alert) => (
    <div key={alert.id} className="room-alert">
      <ShieldAlert size={17} aria-hidden="true" />
      <p>{alertText(alert).title}</p>
      <Button size="small" onClick={() => core.toggleDetails(true)}>
        {t('conversation.details')}
      </Button>
      <IconButton
        size="small"
        label={t('common.dismiss')}
        onClick={() => core.dismissAlert(alert.id)}
      >
        <X size={15} aria-hidden="true" />
      </IconButton>
    </div>
  ))
}
