import { Search } from 'lucide-react'
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react'
import { t } from '../text/t.ts'
import { emojiGroups, loadEmoji, searchEmoji, type Emoji } from './emoji.ts'
import './emoji.css'

const columns = 8
const groupSigns: Record<(typeof emojiGroups)[number], string> = {
  0: '😀',
  1: '👋',
  3: '🐻',
  4: '🍏',
  5: '🚲',
  6: '⚽',
  7: '💡',
  8: '💜',
  9: '🏳️',
}
/** Newest first; kept for as long as the window lives. */
const recent: string[] = []

function remember(sign: string): void {
  const at = recent.indexOf(sign)
  if (at >= 0) recent.splice(at, 1)
  recent.unshift(sign)
  recent.length = Math.min(recent.length, columns * 2)
}

/** Search and grid; arrows walk through the grid, Enter picks. */
export function EmojiPicker({ onPick }: { onPick: (emoji: string) => void }) {
  const [all, setAll] = useState<readonly Emoji[]>([])
  const [query, setQuery] = useState('')
  const grid = useRef<HTMLDivElement>(null)
  useEffect(() => {
    let wanted = true
    void loadEmoji().then((list) => {
      if (wanted) setAll(list)
    })
    return () => {
      wanted = false
    }
  }, [])

  const sections = useMemo(() => {
    if (query.trim()) {
      return [{ id: 'found', label: t('emoji.search'), emoji: searchEmoji(all, query) }]
    }
    const often = recent.flatMap((sign) => all.filter((each) => each.sign === sign))
    return [
      ...(often.length > 0 ? [{ id: 'recent', label: t('emoji.recent'), emoji: often }] : []),
      ...emojiGroups.map((group) => ({
        id: String(group),
        label: t(`emoji.group.${group}`),
        emoji: all.filter((each) => each.group === group),
      })),
    ]
  }, [all, query])

  function pick(sign: string): void {
    remember(sign)
    onPick(sign)
  }

  function walk(event: KeyboardEvent): void {
    const steps: Record<string, number> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
    }
    const step = steps[event.key]
    if (step === undefined) return
    const buttons = [...(grid.current?.querySelectorAll('button') ?? [])]
    const at = buttons.findIndex((button) => button === document.activeElement)
    event.preventDefault()
    if (at + step < 0) {
      grid.current?.parentElement?.querySelector('input')?.focus()
      return
    }
    buttons[Math.min(buttons.length - 1, at < 0 ? 0 : at + step)]?.focus()
  }

  const empty = all.length > 0 && sections.every((section) => section.emoji.length === 0)
  return (
    <div className="picker">
      <div className="picker__search">
        <Search size={15} aria-hidden="true" />
        <input
          type="text"
          role="searchbox"
          aria-label={t('emoji.search')}
          placeholder={t('emoji.search')}
          value={query}
          autoFocus
          spellCheck={false}
          onChange={(event) => setQuery(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'ArrowDown') walk(event)
            else if (event.key === 'Enter' && !event.nativeEvent.isComposing && query.trim()) {
              const first = sections[0]?.emoji[0]
              if (first) pick(first.sign)
              event.preventDefault()
            }
          }}
        />
      </div>
      {query.trim() === '' ? (
        <div className="picker__groups">
          {emojiGroups.map((group) => (
            <button
              key={group}
              type="button"
              className="emoji"
              aria-label={t('emoji.goTo', { group: t(`emoji.group.${group}`) })}
              data-tip={t(`emoji.group.${group}`)}
              onClick={() =>
                grid.current?.querySelector(`[data-group="${group}"]`)?.scrollIntoView()
              }
            >
              {groupSigns[group]}
            </button>
          ))}
        </div>
      ) : null}
      <div className="picker__grid" ref={grid} onKeyDown={walk}>
        {empty ? <p className="quiet small">{t('emoji.none')}</p> : null}
        {sections.map((section) =>
          section.emoji.length > 0 ? (
            <section
              key={section.id}
              className="picker__section"
              data-group={section.id}
              aria-label={section.label}
            >
              <h3 aria-hidden="true">{section.label}</h3>
              <div className="picker__row">
                {section.emoji.map((emoji) => (
                  <button
                    key={emoji.sign}
                    type="button"
                    className="emoji"
                    data-tip={emoji.label}
                    aria-label={emoji.label}
                    onClick={() => pick(emoji.sign)}
                  >
                    {emoji.sign}
                  </button>
                ))}
              </div>
            </section>
          ) : null,
        )}
      </div>
    </div>
  )
}
