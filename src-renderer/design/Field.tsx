import { CircleAlert, Eye, EyeOff } from 'lucide-react'
import { useId, useState, type InputHTMLAttributes, type ReactNode, type Ref } from 'react'
import { t } from '../text/t.ts'
import { IconButton } from './Button.tsx'

interface FieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'onChange' | 'value'> {
  label: string
  value: string
  onChange: (value: string) => void
  hint?: ReactNode
  error?: string | null
  optional?: boolean
  end?: ReactNode
  ref?: Ref<HTMLInputElement>
}

/** A labelled text field; its hint and its error are tied to it for screen readers. */
export function Field({
  label,
  value,
  onChange,
  hint,
  error = null,
  optional = false,
  end,
  type = 'text',
  ...rest
}: FieldProps) {
  const id = useId()
  const [shown, setShown] = useState(false)
  const secret = type === 'password'
  return (
    <div className="field">
      <label className="field__label" htmlFor={id}>
        {label}
        {optional ? <span className="field__optional"> ({t('common.optional')})</span> : null}
      </label>
      <div className="field__box" data-wrong={error !== null}>
        <input
          spellCheck={false}
          autoComplete="off"
          {...rest}
          id={id}
          className="field__input"
          type={secret && shown ? 'text' : type}
          value={value}
          dir={rest.dir ?? 'auto'}
          aria-invalid={error !== null || undefined}
          aria-describedby={error !== null ? `${id}-error` : hint ? `${id}-hint` : undefined}
          onChange={(event) => onChange(event.target.value)}
        />
        {secret || end ? (
          <div className="field__end">
            {secret ? (
              <IconButton
                size="small"
                label={shown ? t('common.hide') : t('common.show')}
                aria-pressed={shown}
                onClick={() => setShown(!shown)}
              >
                {shown ? <EyeOff size={16} aria-hidden /> : <Eye size={16} aria-hidden />}
              </IconButton>
            ) : null}
            {end}
          </div>
        ) : null}
      </div>
      {error !== null ? (
        <p className="field__error" id={`${id}-error`} role="alert">
          <CircleAlert size={15} aria-hidden="true" />
          {error}
        </p>
      ) : hint ? (
        <p className="field__hint" id={`${id}-hint`}>
          {hint}
        </p>
      ) : null}
    </div>
  )
}
