/**
 * A modal dialog on the platform's own <dialog>: focus stays inside, the rest is inert, Escape and
 * a click beside it close it, and the focus returns where it was. It needs no injected styles, which
 * the content security policy would refuse.
 */
import { X } from 'lucide-react'
import {
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  type CSSProperties,
  type ReactNode,
} from 'react'
import { t } from '../text/t.ts'
import { IconButton } from './Button.tsx'

interface DialogProps {
  title: string
  children: ReactNode
  /** Absent: the user must choose one of the answers given inside. */
  onClose?: () => void
  width?: number
  place?: 'centre' | 'top'
  /** Hides the heading, which still names the dialog. */
  bare?: boolean
  /** An interruption rather than something the user asked for. */
  alert?: boolean
  className?: string
}

export function Dialog({
  title,
  children,
  onClose,
  width = 460,
  place = 'centre',
  bare = false,
  alert = false,
  className = '',
}: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  const closing = useRef(onClose)
  useEffect(() => {
    closing.current = onClose
  }, [onClose])

  useLayoutEffect(() => {
    const dialog = ref.current
    if (!dialog) return
    dialog.showModal()
    // Closing it here rather than only removing it gives the focus back.
    return () => dialog.close()
  }, [])

  return (
    <dialog
      ref={ref}
      className={`dialog ${className}`}
      data-place={place}
      style={{ '--dialog-width': `${width}px` } as CSSProperties}
      aria-labelledby={titleId}
      role={alert ? 'alertdialog' : undefined}
      onCancel={(event) => {
        event.preventDefault()
        closing.current?.()
      }}
      onMouseDown={(event) => {
        if (event.target === event.currentTarget) closing.current?.()
      }}
    >
      {bare ? (
        <h2 id={titleId} className="unseen">
          {title}
        </h2>
      ) : (
        <div className="dialog__head">
          <h2 id={titleId} className="dialog__title" dir="auto">
            {title}
          </h2>
          {onClose ? (
            <IconButton label={t('common.close')} onClick={onClose}>
              <X size={18} aria-hidden="true" />
            </IconButton>
          ) : null}
        </div>
      )}
      {bare ? children : <div className="dialog__body">{children}</div>}
    </dialog>
  )
}
