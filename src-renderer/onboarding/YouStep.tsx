import { useState } from 'react'
import { Button } from '../design/Button.tsx'
import { Field } from '../design/Field.tsx'
import { useApp } from '../store/react.ts'
import { t } from '../text/t.ts'
import { isValidName, suggestName } from './addresses.ts'
import { Frame } from './Frame.tsx'
import type { StepProps } from './WhereStep.tsx'

export function YouStep({ form, change, busy, problem, onBack, onNext }: StepProps) {
  const personal = useApp((state) => state.app?.personalNode.serverName ?? null)
  const [nameTouched, setNameTouched] = useState(form.name !== '')
  const [tried, setTried] = useState(false)
  const server = form.where === 'personal' ? personal : (form.server?.serverName ?? null)
  const nameBad = form.name !== '' && !isValidName(form.name)
  const fromServer = (...codes: string[]): string | null =>
    problem && codes.includes(problem.code) ? problem.text : null
  const nameError = nameBad
    ? t('create.name.bad')
    : (fromServer('name_taken', 'bad_name') ?? (tried && !form.name ? t('create.name.hint') : null))
  const elsewhere =
    problem && !['name_taken', 'bad_name', 'weak_password'].includes(problem.code)
      ? problem.text
      : null
  return (
    <Frame
      title={t('create.you.title')}
      lead={t('create.you.lead')}
      step={{ at: 2, of: 4 }}
      onBack={onBack}
    >
      <form
        className="frame__form"
        onSubmit={(event) => {
          event.preventDefault()
          setTried(true)
          if (form.name && form.password && !nameBad && !busy) onNext()
        }}
      >
        <Field
          label={t('create.displayName')}
          value={form.displayName}
          maxLength={128}
          hint={t('create.displayName.hint')}
          autoFocus
          onChange={(displayName) =>
            change({ displayName, ...(nameTouched ? {} : { name: suggestName(displayName) }) })
          }
        />
        <Field
          label={t('create.name')}
          value={form.name}
          maxLength={64}
          dir="ltr"
          autoCapitalize="none"
          hint={
            form.name && server
              ? t('create.name.address', { address: `@${form.name}:${server}` })
              : t('create.name.hint')
          }
          error={nameError}
          onChange={(name) => {
            setNameTouched(true)
            change({ name: name.trim().toLowerCase() })
          }}
        />
        <Field
          label={t('create.password')}
          type="password"
          autoComplete="new-password"
          value={form.password}
          maxLength={1024}
          hint={t('create.password.hint')}
          error={
            fromServer('weak_password') ??
            (tried && !form.password ? t('create.password.hint') : null)
          }
          onChange={(password) => change({ password })}
        />
        {elsewhere ? (
          <p className="frame__error" role="alert">
            {elsewhere}
          </p>
        ) : null}
        <Button look="primary" size="large" type="submit" wide busy={busy}>
          {t('common.next')}
        </Button>
      </form>
    </Frame>
  )
}
