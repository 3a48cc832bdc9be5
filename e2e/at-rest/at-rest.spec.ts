/**
 * What is left on disk after people have talked: nothing that anybody wrote, chose or was given may be
 * readable in the profiles' folders, and nothing that was written or secret in the node's.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { passphrase, say, sees } from '../driver/person.ts'
import { acquaint, Stage, type Person } from '../driver/stage.ts'
import { expect, test } from '../driver/test.ts'
import { searchAtRest } from './search.ts'

const written = 'the heron nests behind the third reed 鷺'
const group = 'Lake walkers of the north shore'

test('nothing that was written, chosen or secret is readable on disk', async () => {
  const stage = await Stage.withProxy()
  try {
    const people: Person[] = [
      await stage.newcomer('ada', 'Ada Lovelace'),
      await stage.newcomer('bo', 'Bo Heron'),
    ]
    const [ada, bo] = people
    if (ada === undefined || bo === undefined) throw new Error('somebody is missing')
    await acquaint(ada, bo)
    await say(ada.page, written)
    await sees(bo.page, written)
    await say(bo.page, `${written}, twice`)
    await sees(ada.page, `${written}, twice`)
    await ada.page.evaluate(async (name) => {
      const { privchat } = window as unknown as {
        privchat: {
          call(
            call: string,
            input: unknown,
          ): Promise<{ value: { accounts: { account: string }[] } }>
        }
      }
      const state = await privchat.call('app.state', {})
      const account = state.value.accounts[0]?.account
      await privchat.call('rooms.createGroup', {
        account,
        name,
        topic: name,
        invite: [],
        historyVisibility: 'joined',
      })
    }, group)
    await expect(
      ada.page.getByRole('navigation', { name: 'Conversations' }).getByText(group),
    ).toBeVisible()
    const tokens = [
      ...new Set(
        stage.proxy.exchanges.flatMap(({ authorization }) =>
          authorization === null ? [] : [authorization.replace('Bearer ', '')],
        ),
      ),
    ]
    expect(tokens.length).toBeGreaterThanOrEqual(2)
    for (const person of people) await person.quit()
    await stage.node.kill()

    const secrets = {
      message: written,
      passphrase,
      ...Object.fromEntries(
        people.flatMap((person) => [
          [`password of ${person.name}`, person.password],
          [`words of ${person.name}`, person.words.slice(0, 4).join(' ')],
        ]),
      ),
      ...Object.fromEntries(tokens.map((token, index) => [`token ${String(index)}`, token])),
    }
    const profiles = join(stage.home, 'profiles')
    const inProfiles = searchAtRest(profiles, { ...secrets, 'room name': group })
    expect(inProfiles.records, 'the search looked into the database of the vault').toBeGreaterThan(
      50,
    )
    expect(inProfiles.findings).toEqual([])
    const inNode = searchAtRest(join(stage.home, 'server'), secrets)
    expect(inNode.records, 'the search looked into the database of the node').toBeGreaterThan(50)
    expect(inNode.findings).toEqual([])

    // The same search, over the same folder, finds what really is there.
    writeFileSync(join(profiles, 'ada', 'canary'), Buffer.from(written, 'utf16le'))
    expect(searchAtRest(profiles, secrets).findings).toEqual([
      { file: join('ada', 'canary'), needle: 'message', encoding: 'utf16le' },
    ])
  } finally {
    await stage.end()
  }
})
