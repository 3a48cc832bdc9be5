import { describe, expect, it } from 'vitest'
import type { Alert } from '../../src-shared/view-model/index.ts'
import { arrangeAlerts } from './alerts.ts'

const alert = (id: string, tier: Alert['tier'], time = 0, room: string | null = null): Alert => ({
  id,
  tier,
  time,
  room,
  alert: { what: 'storage_full' },
})
const ids = (list: readonly Alert[]): string[] => list.map(({ id }) => id)

describe('the queue of interruptions', () => {
  it('lets the lowest tier block first, and within a tier the oldest', () => {
    expect(arrangeAlerts([alert('b', 1), alert('a', 0, 9)], null).blocking?.id).toBe('a')
    expect(arrangeAlerts([alert('b', 1, 5), alert('a', 1, 2)], null).blocking?.id).toBe('a')
  })

  it('stacks banners and keeps room alerts to their room', () => {
    const all = [alert('x', 3, 0, 'r'), alert('y', 3, 0, 'q'), alert('n', 2, 2), alert('o', 2, 1)]
    const arranged = arrangeAlerts(all, 'r')
    expect(ids(arranged.banners)).toEqual(['o', 'n'])
    expect(ids(arranged.inRoom)).toEqual(['x'])
    expect(arranged.blocking).toBeNull()
  })
})
