import { RadioGroup, Switch } from 'radix-ui'
import { useId } from 'react'

export interface Choice<V extends string> {
  value: V
  label: string
  detail?: string
  disabled?: boolean
}

/** One of several, each with a line of explanation. */
export function Choices<V extends string>({
  label,
  value,
  choices,
  onChange,
}: {
  label: string
  value: V
  choices: readonly Choice<V>[]
  onChange: (value: V) => void
}) {
  return (
    <RadioGroup.Root
      className="choices"
      aria-label={label}
      value={value}
      onValueChange={(picked) => {
        const choice = choices.find((each) => each.value === picked)
        if (choice) onChange(choice.value)
      }}
    >
      {choices.map((choice) => (
        <RadioGroup.Item
          key={choice.value}
          className="choice"
          value={choice.value}
          disabled={choice.disabled ?? false}
        >
          <span className="choice__dot" />
          <span>
            <span className="choice__label">{choice.label}</span>
            {choice.detail ? <span className="choice__detail">{choice.detail}</span> : null}
          </span>
        </RadioGroup.Item>
      ))}
    </RadioGroup.Root>
  )
}

/** On or off, at once. */
export function SwitchRow({
  label,
  detail,
  on,
  onChange,
}: {
  label: string
  detail?: string
  on: boolean
  onChange: (on: boolean) => void
}) {
  const id = useId()
  return (
    <div className="switch-row">
      <div>
        <label htmlFor={id} className="choice__label">
          {label}
        </label>
        {detail ? (
          <span id={`${id}-detail`} className="choice__detail">
            {detail}
          </span>
        ) : null}
      </div>
      <Switch.Root
        id={id}
        className="switch"
        checked={on}
        onCheckedChange={onChange}
        aria-describedby={detail ? `${id}-detail` : undefined}
      >
        <Switch.Thumb className="switch__thumb" />
      </Switch.Root>
    </div>
  )
}
