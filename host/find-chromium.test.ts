import { expect, test } from 'vitest'
import { findChromium } from './find-chromium.ts'

const only =
  (...paths: string[]) =>
  (path: string): boolean =>
    paths.includes(path)

test('takes the override and nothing else where it is set', () => {
  const env = { ECCP_CHROMIUM: '/opt/my/chrome', PATH: '/usr/bin' }
  const found = only('/opt/my/chrome', '/usr/bin/chromium')
  expect(findChromium({ env, platform: 'linux', isExecutable: found })).toBe('/opt/my/chrome')
  expect(
    findChromium({ env, platform: 'linux', isExecutable: only('/usr/bin/chromium') }),
  ).toBeNull()
})

test('searches the path on Linux', () => {
  const env = { PATH: '/usr/local/bin:/usr/bin' }
  const isExecutable = only('/usr/bin/google-chrome', '/usr/local/bin/microsoft-edge')
  expect(findChromium({ env, platform: 'linux', isExecutable })).toBe('/usr/bin/google-chrome')
})

test('knows where macOS and Windows install browsers', () => {
  const mac = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'
  expect(
    findChromium({ env: { HOME: '/Users/a' }, platform: 'darwin', isExecutable: only(mac) }),
  ).toBe(mac)
  const edge = 'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe'
  const env = { 'PROGRAMFILES(X86)': 'C:\\Program Files (x86)' }
  expect(findChromium({ env, platform: 'win32', isExecutable: only(edge) })).toBe(edge)
})

test('says so where there is none', () => {
  expect(findChromium({ env: {}, platform: 'linux', isExecutable: () => false })).toBeNull()
})
