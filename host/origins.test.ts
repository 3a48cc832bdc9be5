import { describe, expect, test } from 'vitest'
import { Origins, partitionLabel } from './origins.ts'

const origins = new Origins()
origins.register('app')

describe('origins', () => {
  test('maps a custom scheme to an https origin and back', () => {
    const mapped = origins.toChromium('app://main/a/b.html?q=1#h', 'default')
    expect(mapped).toBe('https://main.app.default-eccp.invalid/a/b.html?q=1#h')
    expect(origins.fromChromium(mapped)).toBe('app://main/a/b.html?q=1#h')
    expect(origins.mapped(mapped)).toEqual({ scheme: 'app', label: 'default' })
  })

  test('leaves other addresses alone', () => {
    for (const url of ['https://eccp.com/app://main/', 'file:///x', 'about:blank', 'other://x/']) {
      expect(origins.toChromium(url, 'default')).toBe(url)
      expect(origins.fromChromium(url)).toBe(url)
    }
    expect(origins.mapped('https://main.app.default-eccp.invalid.evil.com/')).toBeNull()
  })

  test('gives every partition an origin of its own', () => {
    const labels = ['', 'persist:vault', 'vault2', 'persist:Vault', 'persist:v@ult', 'default']
    expect(new Set(labels.map(partitionLabel)).size).toBe(labels.length)
    expect(partitionLabel('persist:vault')).toBe('vault')
    for (const label of labels.map(partitionLabel)) expect(label).toMatch(/^[a-z0-9-]+$/)
  })

  test('rewrites custom schemes in a policy', () => {
    const policy = "default-src 'none'; img-src app: data: app://media; connect-src https:"
    expect(origins.policy(policy, 'x')).toBe(
      "default-src 'none'; img-src https://*.app.x-eccp.invalid data: " +
        'https://media.app.x-eccp.invalid; connect-src https:',
    )
  })
})
