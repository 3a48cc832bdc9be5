import type { IpcErrorCode } from '../../src-shared/ipc/index.ts'
import { Button } from '../design/Button.tsx'
import { Choices } from '../design/Choices.tsx'
import { Field } from '../design/Field.tsx'
import { useApp } from '../store/react.ts'
import { t } from '../text/t.ts'
import type { ChangeForm, CreateForm } from './create-form.ts'
import { Frame } from './Frame.tsx'

export interface StepProps {
  form: CreateForm
  change: ChangeForm
  busy: boolean
  problem: { code: IpcErrorCode; text: string } | null
  onBack: () => void
  onNext: () => void
}

export function WhereStep({ form, change, busy, problem, onBack, onNext }: StepProps) {
  const node = useApp((state) => state.app?.personalNode.state ?? 'none')
  const asked = form.where === 'server' && form.server?.needsToken === true
  const error = problem?.text ?? null
  const personalDetail =
    node === 'starting'
      ? t('create.where.personal.starting')
      : node === 'running'
        ? t('create.where.personal.detail')
        : t('create.where.personal.missing')
  const ready =
    form.where === 'personal'
      ? node === 'running'
      : form.serverText.trim() !== '' && (!asked || form.token.trim() !== '')
  return (
    <Frame
      title={t('create.where.title')}
      lead={t('create.where.lead')}
      step={{ at: 1, of: 4 }}
      onBack={onBack}
    >
      <form
        className="frame__form"
        onSubmit={(event) => {
          event.preventDefault()
          if (ready && !busy) onNext()
        }}
      >
        <Choices
          label={t('create.where.title')}
          value={form.where}
          onChange={(where) => change({ where })}
          choices={[
            {
              value: 'personal',
              label: t('create.where.personal'),
              detail: personalDetail,
              disabled: node === 'none',
            },
            {
              value: 'server',
              label: t('create.where.server'),
              detail: t('create.where.server.detail'),
            },
          ]}
        />
        {form.where === 'server' ? (
          <Field
            label={t('create.where.address')}
            placeholder={t('create.where.placeholder')}
            value={form.serverText}
            onChange={(serverText) => change({ serverText, server: null, token: '' })}
            error={asked ? null : error}
            inputMode="url"
            dir="ltr"
            autoFocus={!asked}
          />
        ) : null}
        {asked ? (
          <Field
            label={t('create.where.token')}
            hint={t('create.where.token.hint')}
            value={form.token}
            onChange={(token) => change({ token })}
            error={error}
            maxLength={256}
            dir="ltr"
            autoFocus
          />
        ) : null}
        <Button look="primary" size="large" type="submit" wide busy={busy} disabled={!ready}>
          {t('common.next')}
        </Button>
      </form>
    </Frame>
  )
}
