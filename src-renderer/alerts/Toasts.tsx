import { CircleAlert, X } from 'lucide-react'
import type { Toast } from '../store/state.ts'
import { Button, IconButton } from '../design/Button.tsx'
import { useApp, useCore, useNow } from '../store/react.ts'
import { t } from '../text/t.ts'
import './alerts.css'

function ToastCard({ toast }: { toast: Toast }) {
  const core = useCore()
  const { undo } = toast
  const now = useNow(500, undo !== null)
  const seconds = undo ? Math.max(0, Math.ceil((undo.until - now) / 1000)) : 0
  return (
    <li className="toast" data-tone={toast.tone}>
      {toast.tone === 'error' ? <CircleAlert size={17} aria-hidden="true" /> : null}
      <span className="toast__text">{toast.text}</span>
      {undo ? (
        <>
          <span className="toast__seconds">{t('leave.seconds', { seconds })}</span>
          <Button size="small" onClick={() => void core.rooms.undoLeave(undo.room)}>
            {t('common.undo')}
          </Button>
        </>
      ) : null}
      <IconButton
        size="small"
        label={t('common.dismiss')}
        onClick={() => core.dismissToast(toast.id)}
      >
        <X size={15} aria-hidden="true" />
      </IconButton>
    </li>
  )
}

/** Tier 4: short notes that fade. The announcer speaks them. */
export function Toasts() {
  const toasts = useApp((state) => state.toasts)
  return (
    <div className="toasts" role="region" aria-label={t('toasts.region')}>
      <ul>
        {toasts.map((toast) => (
          <ToastCard key={toast.id} toast={toast} />
        ))}
      </ul>
    </div>
  )
}
