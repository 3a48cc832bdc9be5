import { startNode } from './testing/start-node.ts'
import { conversation, newUser, messages, say, texts, until } from './testing/engine-users.ts'
const node = await startNode()
let t0 = performance.now()
const mark = (w: string) => { console.log(w, Math.round(performance.now() - t0)); t0 = performance.now() }
const ev: string[] = []
const ada = await newUser(node, 'ada', { log: (e, f) => ev.push(`${performance.now().toFixed(1)} ${e} ${JSON.stringify(f)}`) })
mark('ada')
const ben = await newUser(node, 'ben', { })
mark('ben')
const room = await conversation(ada, ben)
mark('conv')
await say(ada, room, 'hello')
await until(async () => (await texts(ben, room)).includes('hello'))
mark('first')
ev.length = 0
for (let i = 0; i < 50; i++) await say(ada, room, `m ${i}`)
mark('queued 50')
await until(async () => (await texts(ben, room)).length === 51)
mark('50')
console.log(ev.slice(-60).join('\n'))
await ada.engine.stop(); await ben.engine.stop(); await node.stop()
