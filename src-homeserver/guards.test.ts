import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allGuards, ownGuards } from './guards.ts'
import { startNode } from './testing/start-node.ts'
import type { TestNode } from './testing/start-node.ts'
import { withoutGuards } from './testing/weakened.ts'

describe('the guards of a node', () => {
  let node: TestNode
  beforeAll(async () => {
    node = await startNode()
  })
  afterAll(() => node.stop())

  it('are all there, whatever its configuration says', () => {
    expect(node.context.guards).toBe(allGuards)
    const named = Object.keys(node.context.config).filter((key) => /guard|weak/i.test(key))
    expect(named).toEqual([])
  })

  it('say what was found', () => {
    for (const name of ownGuards)
      expect([allGuards.holds(name, true), allGuards.holds(name, false)]).toEqual([true, false])
  })

  it('can be taken away one by one in a test', () => {
    const weak = withoutGuards(['request_time'])
    const held = ownGuards.filter((name) => !weak.holds(name, false))
    expect(held).toEqual(ownGuards.filter((name) => name !== 'request_time'))
  })
})
