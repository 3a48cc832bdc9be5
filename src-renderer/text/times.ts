/** Times in words: clock times, day names, spans. Pure; `now` always arrives as an argument. */
import { t } from './t.ts'

const clockFormat = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  hour12: false,
})
const weekdayFormat = new Intl.DateTimeFormat('en', { weekday: 'long' })
const shortWeekdayFormat = new Intl.DateTimeFormat('en', { weekday: 'short' })
const dayFormat = new Intl.DateTimeFormat('en', { weekday: 'long', day: 'numeric', month: 'long' })
const dayWithYearFormat = new Intl.DateTimeFormat('en', {
  day: 'numeric',
  month: 'long',
  year: 'numeric',
})
const shortDayFormat = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' })
const fullFormat = new Intl.DateTimeFormat('en', {
  dateStyle: 'full',
  timeStyle: 'short',
  hour12: false,
})

/** The last day asked for: neighbours in a conversation nearly always fall on the same one. */
let lastDay = { start: 0, end: 0 }

/** The beginning of the local day that `time` falls on. */
export function dayOf(time: number): number {
  if (time < lastDay.start || time >= lastDay.end) {
    const date = new Date(time)
    const [year, month, day] = [date.getFullYear(), date.getMonth(), date.getDate()]
    lastDay = {
      start: new Date(year, month, day).getTime(),
      end: new Date(year, month, day + 1).getTime(),
    }
  }
  return lastDay.start
}

function daysBetween(time: number, now: number): number {
  return Math.round((dayOf(now) - dayOf(time)) / 86_400_000)
}

export const clockTime = (time: number): string => clockFormat.format(time)
export const fullTime = (time: number): string => fullFormat.format(time)

/** Heading of a day in a conversation. */
export function dayHeading(time: number, now: number): string {
  const days = daysBetween(time, now)
  if (days === 0) return t('time.today')
  if (days === 1) return t('time.yesterday')
  if (days > 1 && days < 7) return weekdayFormat.format(time)
  return new Date(time).getFullYear() === new Date(now).getFullYear()
    ? dayFormat.format(time)
    : dayWithYearFormat.format(time)
}

/** Short time beside a room's name. */
export function listTime(time: number, now: number): string {
  const days = daysBetween(time, now)
  if (days <= 0) return clockTime(time)
  if (days === 1) return t('time.yesterday')
  if (days < 7) return shortWeekdayFormat.format(time)
  return shortDayFormat.format(time)
}

/** "just now", "5 minutes ago", "on 3 May". */
export function agoInWords(time: number, now: number): string {
  const minutes = Math.floor((now - time) / 60_000)
  if (minutes < 1) return t('time.justNow')
  if (minutes < 60) return t('time.minutesAgo', { count: minutes })
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return t('time.hoursAgo', { count: hours })
  return t('time.onDay', { day: dayHeading(time, now) })
}
