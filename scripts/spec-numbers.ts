/** `npm run spec:numbers`: every number that the draft promises, as the code has it; what padding costs; sizes. */
import { fixtures } from '../fixtures/store.ts'
import { quantities, sizes, worstPadding } from '../spec/numbers.ts'
import { readChapters, tableUnder } from '../spec/chapters.ts'

for (const { section, words } of quantities()) console.log(`${section.padEnd(8)}${words}`)

const limits = readChapters().find(({ file }) => file.startsWith('14-'))
if (limits === undefined) throw new Error('there is no chapter of limits')
console.log('\n14.3, compared with the code by spec/tables.test.ts')
for (const [what = '', value = ''] of tableUnder(limits, '14.3'))
  console.log(`${what.padEnd(52)}${value}`)

const { size, percent } = worstPadding()
console.log(`\nPadding costs most at ${String(size)} bytes: ${percent.toFixed(2)} %`)

console.log('\nBytes, canonical, of values in the fixtures')
for (const { what, at, bytes } of sizes())
  console.log(`${what.padEnd(28)}${at.padEnd(34)}${String(bytes)}`)

const cases = fixtures.flatMap((fixture) => fixture.cases)
const refused = cases.filter(({ error }) => error !== undefined).length
console.log(
  `\n${String(fixtures.length)} fixture files, ${String(cases.length - refused)} accepted cases, ${String(refused)} refused`,
)
