/**
 * `npm run fuzz`: a million inputs for each decoder of foreign bytes, 100,000 where signatures are verified.
 * `npm run fuzz -- json event` names targets; `--share=100` runs a hundredth; `--seed=N` repeats a run; `--resume` goes
 * on with the run of this seed where it ended, and keeps what is done in `artefacts/fuzz-SEED.jsonl`.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decoders } from '../fixtures/fuzz/decoders.ts'
import { fuzz } from '../fixtures/fuzz/run.ts'
import { signed } from '../fixtures/fuzz/signed.ts'

const COUNTS = { decoder: 1_000_000, signed: 100_000 } as const
const words = process.argv.slice(2)
const wanted = words.filter((word) => !word.startsWith('--'))
const option = (name: string, otherwise: number): number => {
  const found = words.find((word) => word.startsWith(`--${name}=`))
  return found === undefined ? otherwise : Number(found.slice(name.length + 3))
}
const share = option('share', 1)
const seed = option('seed', Date.now() % 2 ** 31)
const file = join(import.meta.dirname, '..', 'fixtures', 'fuzz', 'known.json')
const known = JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, readonly string[]>>

const resume = words.includes('--resume')
const targets = [...signed(), ...decoders()]
const unknown = wanted.filter((name) => !targets.some((target) => target.name === name))
if (unknown.length > 0 || !(share >= 1) || !Number.isSafeInteger(seed)) {
  console.error(`There is no target ${unknown.join(', ')}, or a number is none.`)
  process.exit(1)
}
console.log(`seed ${seed}`)
const artefacts = join(import.meta.dirname, '..', 'artefacts')
const diary = join(artefacts, `fuzz-${seed}.jsonl`)
const done = new Set(resume && existsSync(diary) ? readFileSync(diary, 'utf8').split('\n') : [])
let inputs = 0
let findings = 0
for (const target of targets) {
  if (wanted.length > 0 && !wanted.includes(target.name)) continue
  const count = Math.ceil(COUNTS[target.kind] / share)
  const entry = JSON.stringify({ name: target.name, seed, count })
  if (done.has(entry)) {
    console.log(`${target.name}: done before`)
    continue
  }
  const report = fuzz(target, { count, seed, known: known[target.name] ?? [] })
  const { name, accepted, spent, slowest } = report
  const time = `${(spent / 1000).toFixed(1)} s, slowest batch ${slowest.toFixed(3)} ms an input`
  console.log(`${name}: ${report.inputs} inputs, ${accepted} accepted, ${time}`)
  for (const { input, what } of report.findings) console.log(`    ${what}\n    ${input}`)
  inputs += report.inputs
  findings += report.findings.length
  if (!resume || report.findings.length > 0) continue
  mkdirSync(artefacts, { recursive: true })
  appendFileSync(diary, `${entry}\n`)
}
console.log(`\n${inputs} inputs, ${findings} findings`)
process.exit(findings === 0 ? 0 : 1)
