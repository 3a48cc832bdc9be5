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
  useState,
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
  /** Nothing inside takes the focus: the body itself does, so that keys scroll it. */
  still?: boolean
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
  still = false,
  bare = false,
  alert = false,
  className = '',
}: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  // Taken before anything inside can have the focus.
  const [before] = useState(() => document.activeElement)
  const closing = useRef(onClose)
  useEffect(() => {
    closing.current = onClose
  }, [onClose])

  useLayoutEffect(() => {
    const dialog = ref.current
    if (!dialog) return
    // showModal() would focus the first button; an autoFocus field inside has it already. Without
    // one the title gets it, so that a key typed at the wrong moment answers nothing.
    const wanted = dialog.contains(document.activeElement) ? document.activeElement : null
    dialog.showModal()
    const first = wanted ?? dialog.querySelector('h2')
    if (first instanceof HTMLElement) first.focus()
    return () => {
      dialog.close()
      const back =
        before instanceof HTMLElement && before.isConnected && before !== document.body
          ? before
          : document.querySelector<HTMLElement>('[data-focus="composer"]')
      back?.focus()
    }
  }, [before])

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
        <h2 id={titleId} className="unseen" tabIndex={-1}>
          {title}
        </h2>
      ) : (
        <div className="dialog__head">
          <h2 id={titleId} className="dialog__title" dir="auto" tabIndex={-1}>
            {title}
          </h2>
          {onClose ? (
            <IconButton label={t('common.close')} onClick={onClose}>
              <X size={18} aria-hidden="true" />
            </IconButton>
          ) : null}
        </div>
      )}
      {bare ? (
        children
      ) : (
        <div className="dialog__body" tabIndex={still ? 0 : undefined}>
          {children}
        </div>
      )}
    </dialog>
  )
}
