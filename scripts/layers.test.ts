/** Every layer rule is seen to reject a planted violation, and a clean tree to pass. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cruise } from './setup/checks.ts'
import { root } from './setup/paths.ts'

/** One violation a rule: the files to plant, each with its text; texts for one path are joined. */
const planted: Record<string, Record<string, string>> = {
  'no-cycles': {
    'src-shared/api/a.ts': "export { b } from './b.ts'\nexport const a = 1\n",
    'src-shared/api/b.ts': "export { a } from './a.ts'\nexport const b = 1\n",
  },
  'not-unresolvable': { 'src-shared/api/lost.ts': "export { x } from './nowhere.ts'\n" },
  'protocol-is-pure': {
    'src-shared/protocol/impure.ts':
      "import type { A } from '../api/index.ts'\nexport type B = A\n",
    'src-shared/api/index.ts': 'export type A = 1\n',
  },
  'shared-imports-no-other-layer': {
    'src-shared/client/reach.ts': "export { p } from '../../src-platform/p.ts'\n",
    'src-platform/p.ts': 'export const p = 1\n',
  },
  'shared-knows-no-platform': {
    'src-shared/client/disk.ts': "export { readFileSync } from 'node:fs'\n",
  },
  'shared-imports-few-libraries': {
    'src-shared/client/lib.ts': "export { create } from 'zustand'\n",
  },
  'enter-protocol-through-index': {
    'src-homeserver/side.ts':
      "import type { D } from '../src-shared/protocol/deep.ts'\nexport type E = D\n",
    'src-shared/protocol/deep.ts': 'export type D = 1\n',
  },
  'enter-api-through-index': {
    'src-homeserver/side.ts': "export { d } from '../src-shared/api/deep.ts'\n",
    'src-shared/api/deep.ts': 'export const d = 1\n',
  },
  'enter-client-through-index': {
    'src-main/side.ts': "export { d } from '../src-shared/client/deep.ts'\n",
    'src-shared/client/deep.ts': 'export const d = 1\n',
  },
  'enter-ipc-through-index': {
    'src-main/side.ts': "export { d } from '../src-shared/ipc/deep.ts'\n",
    'src-shared/ipc/deep.ts': 'export const d = 1\n',
  },
  'enter-view-model-through-index': {
    'src-main/side.ts': "export { d } from '../src-shared/view-model/deep.ts'\n",
    'src-shared/view-model/deep.ts': 'export const d = 1\n',
  },
  'testing-stays-in-tests': {
    'src-main/a.ts': "export { t } from './testing/t.ts'\n",
    'src-main/testing/t.ts': 'export const t = 1\n',
  },
  'view-model-and-ipc-are-data': {
    'src-shared/ipc/b.ts': "import type { A } from '../client/index.ts'\nexport type B = A\n",
    'src-shared/client/index.ts': 'export type A = 1\n',
  },
  'api-knows-no-engine': {
    'src-shared/api/b.ts': "export { a } from '../client/index.ts'\n",
    'src-shared/client/index.ts': 'export const a = 1\n',
  },
  'engine-knows-no-ipc': {
    'src-shared/client/b.ts': "export { a } from '../ipc/index.ts'\n",
    'src-shared/ipc/index.ts': 'export const a = 1\n',
  },
  'renderer-never-sees-a-key': {
    'src-renderer/b.ts':
      "import type { A } from '../src-shared/client/index.ts'\nexport type B = A\n",
    'src-shared/client/index.ts': 'export type A = 1\n',
  },
  'renderer-knows-no-node': { 'src-renderer/b.ts': "export { join } from 'node:path'\n" },
  'vault-page-only-stores': {
    'src-main/vault-page/b.ts': "export { a } from '../vault/a.ts'\n",
    'src-main/vault/a.ts': 'export const a = 1\n',
  },
  'preload-is-the-contract': {
    'src-main/preload.ts': "export { a } from './a.ts'\n",
    'src-main/a.ts': 'export const a = 1\n',
  },
  'node-knows-no-client': {
    'src-homeserver/b.ts': "export { a } from '../src-shared/client/index.ts'\n",
    'src-shared/client/index.ts': 'export const a = 1\n',
  },
  'platform-is-shared-by-all': {
    'src-platform/b.ts': "export { a } from '../src-main/a.ts'\n",
    'src-main/a.ts': 'export const a = 1\n',
  },
  'conformance-is-a-stranger': {
    'conformance/b.ts': "import type { A } from '../src-homeserver/a.ts'\nexport type B = A\n",
    'src-homeserver/a.ts': 'export type A = 1\n',
  },
  'product-knows-no-conformance': {
    'src-homeserver/c.ts': "export { a } from '../conformance/a.ts'\n",
    'conformance/a.ts': 'export const a = 1\n',
  },
  'product-knows-no-host': {
    'src-main/b.ts': "export { a } from '../host/a.ts'\n",
    'host/a.ts': 'export const a = 1\n',
  },
}

const folders = [
  'src-shared',
  'src-main',
  'src-renderer',
  'src-platform',
  'src-homeserver',
  'conformance',
  'host',
]
const temporary: string[] = []

function plant(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'layers-'))
  temporary.push(folder)
  for (const file of ['.dependency-cruiser.cjs', 'tsconfig.base.json', 'package.json'])
    cpSync(join(root, file), join(folder, file))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const name of folders) mkdirSync(join(folder, name))
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  return folder
}

afterAll(() => {
  for (const folder of temporary) rmSync(folder, { recursive: true })
})

describe('layer rules', () => {
  let rules: string[] = []
  beforeAll(() => {
    const config = createRequire(import.meta.url)(join(root, '.dependency-cruiser.cjs')) as {
      forbidden: { name: string }[]
    }
    rules = config.forbidden.map((rule) => rule.name)
  })

  it('have a planted violation each', () => {
    expect(Object.keys(planted).toSorted()).toEqual(rules.toSorted())
  })

  describe('planted side by side', () => {
    let violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[]
    beforeAll(async () => {
      const together = new Map<string, Set<string>>()
      for (const files of Object.values(planted))
        for (const [file, text] of Object.entries(files))
          together.set(file, (together.get(file) ?? new Set()).add(text))
      const tree = Object.fromEntries(
        [...together].map(([file, texts]) => [file, [...texts].join('')]),
      )
      violations = (await cruise(plant(tree), folders)).summary.violations
    })

    it.each(Object.entries(planted))('%s rejects its planted violation', (rule, files) => {
      const rejected = violations.find((violation) => violation.rule.name === rule)
      expect(Object.keys(files)).toContain(rejected?.from)
    })
  })

  it('accept a tree that keeps them', async () => {
    const report = await cruise(
      plant({
        'src-shared/protocol/index.ts': "export { sha256 } from '@noble/hashes/sha2.js'\n",
        'src-shared/client/index.ts': "export { sha256 } from '../protocol/index.ts'\n",
        'src-shared/ipc/index.ts': 'export const channel = 1\n',
        'src-main/index.ts': "export { sha256 } from '../src-shared/client/index.ts'\n",
        'src-renderer/main.ts': "export { channel } from '../src-shared/ipc/index.ts'\n",
      }),
      folders,
    )
    expect(report.modules.length).toBeGreaterThanOrEqual(5)
    expect(report.summary.violations).toEqual([])
  })
})
