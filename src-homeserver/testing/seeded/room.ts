/** Where every seeded run begins and ends: six people of three nodes in one room. */
import {
  inviteBody,
  joinBody,
  kickBody,
  memberPowerBody,
  membershipOf,
} from '../../../src-shared/protocol/index.ts'
import { letIn, register, signIn } from '../../../conformance/device.ts'
import type { Place } from '../../../conformance/device.ts'
import type { People } from './people.ts'
import { NODES, PEOPLE } from './schedule.ts'

export interface Ground {
  place(name: string): Place
  /** Does it while what is on its way between nodes goes on. */
  meanwhile<T>(work: () => Promise<T>): Promise<T>
}

export async function furnish(people: People, { place, meanwhile }: Ground): Promise<void> {
  for (const [index, name] of PEOPLE.entries()) {
    const node = NODES[index % NODES.length] ?? ''
    const device = await register(place(node), name)
    const second = index % 2 === 1 ? await signIn(device) : null
    const person = await people.add(name, node, device, second)
    if (name !== 'bea' || second === null) continue
    // One has two from the beginning.
    await letIn(device, second)
    person.pending = null
    await people.listen(person, second, false)
  }
  const [first, ...others] = people.all
  if (first === undefined) throw new Error('nobody')
  const ann = first.device
  people.room = await meanwhile(() =>
    ann.createRoom(others.map(({ device }) => inviteBody(device.member, device.userId))),
  )
  const { room } = people
  for (const { name, device } of others)
    await meanwhile(async () => {
      const { status, body } = await device.setState(room, joinBody(device.member, device.userId))
      if (status !== 200) throw new Error(`${name} joins: ${status} ${body.errcode} ${body.rule}`)
    })
  for (const { device } of others.slice(0, 2))
    await meanwhile(async () =>
      ann.setState(room, memberPowerBody(await ann.state(room), device.member, 50)),
    )
  for (const listener of people.listeners) await listener.catchUp(room)
}

/** Whoever is out is invited and comes; then everybody says something to everybody. */
export async function letBackIn(people: People, meanwhile: Ground['meanwhile']): Promise<void> {
  const { room, all } = people
  const [first, ...others] = all
  if (first === undefined) throw new Error('nobody')
  const ann = first.device
  for (const { name, device } of others) {
    const { member, userId } = device
    const stands = membershipOf(await ann.state(room), member)
    if (stands === 'join') continue
    await meanwhile(async () => {
      if (stands === 'ban') await ann.setState(room, kickBody(await ann.state(room), member))
      if (stands !== 'invite') await ann.setState(room, inviteBody(member, userId))
    })
    await meanwhile(async () => {
      const { status, body } = await device.setState(room, joinBody(member, userId))
      if (status !== 200)
        throw new Error(`${name} comes back: ${status} ${body.errcode} ${body.rule}`)
    })
  }
  for (const person of all) {
    const sealed = await people.seal(person, { kind: 'say' })
    const outcome = sealed === null ? null : await meanwhile(() => people.send(sealed))
    if (outcome?.kind !== 'acknowledged')
      throw new Error(`${person.name} can't speak at the end: ${JSON.stringify(outcome)}`)
  }
}
