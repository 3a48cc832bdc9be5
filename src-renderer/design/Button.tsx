import type { ButtonHTMLAttributes, ReactNode, Ref } from 'react'
import { Spinner } from './Spinner.tsx'

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: 'primary' | 'plain' | 'quiet' | 'danger' | 'danger-quiet'
  size?: 'small' | 'medium' | 'large'
  wide?: boolean
  /** Shows that work is under way and takes no further clicks; keeps the focus. */
  busy?: boolean
  ref?: Ref<HTMLButtonElement>
}

export function Button({
  look = 'plain',
  size = 'medium',
  wide = false,
  busy = false,
  children,
  onClick,
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      className="button"
      data-look={look}
      data-size={size}
      data-wide={wide}
      aria-busy={busy || undefined}
      onClick={(event) => {
        if (busy) event.preventDefault()
        else onClick?.(event)
      }}
    >
      {busy ? <Spinner /> : null}
      {children}
    </button>
  )
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** Accessible name, shown as tooltip too. */
  label: string
  /** Keys that do the same, for the tooltip. */
  keys?: string
  look?: 'plain' | 'accent'
  size?: 'small' | 'medium'
  children: ReactNode
  ref?: Ref<HTMLButtonElement>
}

export function IconButton({
  label,
  keys,
  look = 'plain',
  size = 'medium',
  children,
  ...rest
}: IconButtonProps) {
  return (
    <button
      type="button"
      aria-label={label}
      data-tip={keys ? `${label} (${keys})` : label}
      {...rest}
      className="icon-button"
      data-look={look}
      data-size={size}
    >
      {children}
    </button>
  )
}
