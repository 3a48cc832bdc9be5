import { TriangleAlert } from 'lucide-react'
import { Button } from '../design/Button.tsx'
import { t } from '../text/t.ts'
import { Frame } from './Frame.tsx'
import type { CreateForm } from './create-form.ts'

export function WordsStep({
  form,
  onBack,
  onNext,
}: {
  form: CreateForm
  onBack: () => void
  onNext: () => void
}) {
  return (
    <Frame
      title={t('create.words.title')}
      lead={t('create.words.lead')}
      step={{ at: 3, of: 4 }}
      onBack={onBack}
      wide
    >
      <div className="frame__form">
        <ol className="words" aria-label={t('create.words.list')}>
          {(form.ticket?.words ?? []).map((word, index) => (
            <li key={index}>{word}</li>
          ))}
        </ol>
        <p className="frame__note">
          <TriangleAlert size={17} aria-hidden="true" />
          {t('create.words.warning')}
        </p>
        <Button look="primary" size="large" wide onClick={onNext} autoFocus>
          {t('create.words.done')}
        </Button>
      </div>
    </Frame>
  )
}
