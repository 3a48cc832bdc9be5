/**
 * One tooltip for the whole window: any element with `data-tip` gets it on hover and on keyboard
 * focus. It lives in the top layer, so it also shows above dialogs, and costs nothing per message.
 * Names and descriptions for screen readers are the elements' own.
 */
import { useEffect, useRef } from 'react'

const delay = 450
const gap = 7

export function Tips() {
  const ref = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const tip = ref.current
    if (!tip) return
    let timer: ReturnType<typeof setTimeout> | undefined
    let shownFor: Element | null = null

    const targetOf = (event: Event): Element | null =>
      event.target instanceof Element ? event.target.closest('[data-tip]') : null

    function hide(): void {
      clearTimeout(timer)
      shownFor = null
      if (tip?.matches(':popover-open')) tip.hidePopover()
    }
    function show(element: Element): void {
      const text = element.getAttribute('data-tip')
      if (!tip || !text || !element.isConnected) return
      shownFor = element
      tip.textContent = text
      if (!tip.matches(':popover-open')) tip.showPopover()
      const at = element.getBoundingClientRect()
      const size = tip.getBoundingClientRect()
      const above = at.top - size.height - gap
      const top = above < 6 ? at.bottom + gap : above
      const middle = at.left + at.width / 2 - size.width / 2
      const left = Math.max(8, Math.min(window.innerWidth - size.width - 8, middle))
      tip.style.translate = `${Math.round(left)}px ${Math.round(top)}px`
    }
    function over(event: Event): void {
      if (event.target === tip) {
        clearTimeout(timer)
        return
      }
      const element = targetOf(event)
      if (element === shownFor && element) {
        clearTimeout(timer)
        return
      }
      clearTimeout(timer)
      // Neighbours show at once while one is open.
      if (element) timer = setTimeout(() => show(element), shownFor ? 60 : delay)
      else if (shownFor) timer = setTimeout(hide, 120)
    }
    function focused(event: Event): void {
      const element = targetOf(event)
      if (element?.matches(':focus-visible')) show(element)
      else hide()
    }
    function key(event: KeyboardEvent): void {
      if (event.key === 'Escape') hide()
    }
    document.addEventListener('pointerover', over)
    document.addEventListener('focusin', focused)
    document.addEventListener('focusout', hide)
    document.addEventListener('pointerdown', hide)
    document.addEventListener('scroll', hide, true)
    document.addEventListener('keydown', key)
    return () => {
      clearTimeout(timer)
      document.removeEventListener('pointerover', over)
      document.removeEventListener('focusin', focused)
      document.removeEventListener('focusout', hide)
      document.removeEventListener('pointerdown', hide)
      document.removeEventListener('scroll', hide, true)
      document.removeEventListener('keydown', key)
    }
  }, [])
  return <div ref={ref} popover="manual" className="tooltip" aria-hidden="true" />
}
