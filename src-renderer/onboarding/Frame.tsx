import { useEffect, useRef, type ReactNode } from 'react'
import { ChevronLeft } from 'lucide-react'
import { useApp } from '../store/react.ts'
import { t } from '../text/t.ts'
import { IconButton } from '../design/Button.tsx'
import { Brand } from './Brand.tsx'
import './onboarding.css'

/** The sheet that every screen outside the conversations stands on. */
export function Frame({
  title,
  lead,
  children,
  step,
  onBack,
  wide = false,
}: {
  title: string
  lead?: string
  children: ReactNode
  step?: { at: number; of: number }
  onBack?: (() => void) | undefined
  wide?: boolean
}) {
  const shell = useApp((state) => state.app?.developmentShell ?? false)
  const heading = useRef<HTMLHeadingElement>(null)
  // A step without a field to begin in is read aloud, and Tab goes on from its top.
  useEffect(() => {
    if (document.activeElement === document.body) heading.current?.focus()
  }, [title])
  return (
    <main className="frame">
      <div className="frame__sheet" data-wide={wide}>
        <div className="frame__top">
          {onBack ? (
            <IconButton label={t('common.back')} onClick={onBack}>
              <ChevronLeft size={20} aria-hidden="true" />
            </IconButton>
          ) : (
            <Brand size={34} />
          )}
          {step ? (
            <p className="frame__steps">
              <span className="unseen">
                {t('create.progress', { step: step.at, count: step.of })}
              </span>
              {Array.from({ length: step.of }, (_, index) => (
                <i key={index} data-done={index < step.at} aria-hidden="true" />
              ))}
            </p>
          ) : null}
        </div>
        <h1 className="frame__title" ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {lead ? <p className="frame__lead">{lead}</p> : null}
        {children}
      </div>
      {shell ? <p className="frame__shell">{t('app.developmentShell')}</p> : null}
    </main>
  )
}
