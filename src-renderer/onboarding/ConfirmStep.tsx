import { useRef, useState } from 'react'
import { Button } from '../design/Button.tsx'
import { Field } from '../design/Field.tsx'
import { t } from '../text/t.ts'
import { Frame } from './Frame.tsx'
import type { StepProps } from './WhereStep.tsx'

const tidy = (word: string): string => word.trim().toLowerCase()

export function ConfirmStep({ form, change, busy, problem, onBack, onNext }: StepProps) {
  const [tried, setTried] = useState(false)
  const ref = useRef<HTMLFormElement>(null)
  const asked = form.ticket?.confirm ?? []
  const right = asked.map(
    (position, index) => tidy(form.confirmation[index] ?? '') === form.ticket?.words[position],
  )
  return (
    <Frame
      title={t('create.confirm.title')}
      lead={t('create.confirm.lead')}
      step={{ at: 4, of: 4 }}
      onBack={busy ? undefined : onBack}
    >
      <form
        ref={ref}
        className="frame__form"
        onSubmit={(event) => {
          event.preventDefault()
          setTried(true)
          const wrong = right.indexOf(false)
          if (wrong < 0 && !busy) onNext()
          else ref.current?.querySelectorAll('input')[wrong]?.focus()
        }}
      >
        {asked.map((position, index) => (
          <Field
            key={position}
            label={t('create.confirm.word', { number: position + 1 })}
            value={form.confirmation[index] ?? ''}
            dir="ltr"
            autoCapitalize="none"
            autoFocus={index === 0}
            error={
              tried && right[index] === false
                ? t('create.confirm.wrong', { number: position + 1 })
                : null
            }
            onChange={(word) =>
              change({
                confirmation: form.confirmation.map((old, at) => (at === index ? word : old)),
              })
            }
          />
        ))}
        {problem ? (
          <p className="frame__error" role="alert">
            {problem.text}
          </p>
        ) : null}
        <Button look="primary" size="large" type="submit" wide busy={busy}>
          {busy ? t('create.working') : t('create.finish')}
        </Button>
        {busy ? null : (
          <Button look="quiet" wide onClick={onBack}>
            {t('create.confirm.back')}
          </Button>
        )}
      </form>
    </Frame>
  )
}
