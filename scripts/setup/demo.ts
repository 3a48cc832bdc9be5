/** `npm run demo`: two real windows, two new accounts on one node, a conversation. */
import { accept, say, sees, startDirect } from '../../e2e/driver/person.ts'
import { all, perform } from './demo-stage.ts'

const people = {
  ada: { name: 'ada', displayName: 'Ada', password: 'a lantern in the reeds' },
  bo: { name: 'bo', displayName: 'Bo 鷺', password: 'two herons at the lake' },
} as const
type Speaker = keyof typeof people

const conversation: readonly { readonly from: Speaker; readonly text: string }[] = [
  { from: 'ada', text: 'Morning! Are we still on for Sunday?' },
  { from: 'bo', text: 'Yes! I’ll bring the map and the good coffee ☕️' },
  { from: 'bo', text: '林梅 comes too: 太好了，周日见！' },
  {
    from: 'ada',
    text: 'Lovely. The path along the lake is open again, so we can walk all the way round.',
  },
  { from: 'bo', text: 'وعمر سيحضر القارب الصغير 🛶' },
  { from: 'ada', text: 'A boat! Then I’ll make the bread that needs two days.' },
  { from: 'bo', text: 'Nobody else can read this, right? I still owe Omar a surprise.' },
  { from: 'ada', text: 'Only you and me. The server passes on what it can’t open.' },
  { from: 'bo', text: '🎉' },
]

/** The exit code: 0 where both have read every message. */
export function runDemo(): Promise<number> {
  return perform('demo', async (stage) => {
    const node = await stage.node({ serverName: 'demo.example' })
    stage.tell(`A node for demo.example listens on ${node.url}`)
    const open = async (who: Speaker, index: number) => {
      const page = await stage.window(people[who], index, node.url)
      stage.tell(`${people[who].displayName} has an account: @${people[who].name}:demo.example`)
      return page
    }
    const [ada, bo] = await all([open('ada', 0), open('bo', 1)])
    if (ada === undefined || bo === undefined) throw new Error('a window is missing')
    await startDirect(ada, 'bo')
    stage.tell('Ada invites Bo to a conversation')
    await accept(bo, 'Ada')
    stage.tell('Bo accepts')
    for (const { from, text } of conversation) {
      await say(from === 'ada' ? ada : bo, text)
      await all([sees(ada, text), sees(bo, text)])
      stage.tell(`${people[from].displayName}: ${text}`)
    }
    await bo
      .getByRole('img', { name: /^Delivered to Ada/ })
      .last()
      .waitFor({ timeout: 10_000 })
    stage.tell('Bo sees that it was delivered to Ada')
    await stage.picture('')
    stage.tell('Both have read everything')
  })
}
