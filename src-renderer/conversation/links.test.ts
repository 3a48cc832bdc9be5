import { describe, expect, it } from 'vitest'
import { isEmojiOnly, splitLinks } from './links.ts'

const urls = (text: string) => splitLinks(text).flatMap(({ url }) => url ?? [])

describe('links in text', () => {
  it('finds addresses and leaves the text around them as it was', () => {
    const text = 'See https://a.example/x?y=1, then go.'
    expect(
      splitLinks(text)
        .map((piece) => piece.text)
        .join(''),
    ).toBe(text)
    expect(urls(text)).toEqual(['https://a.example/x?y=1'])
  })

  it('takes the safe scheme for a bare name', () => {
    expect(urls('try example.org today')).toEqual(['https://example.org'])
  })

  it('links nothing but web and mail addresses', () => {
    expect(urls('javascript:alert(1) file:///etc/passwd ftp://a.example data:text/html,x')).toEqual(
      [],
    )
    expect(urls('mail anna@mail.org')).toEqual(['mailto:anna@mail.org'])
  })

  it('does not take a user id for a link', () => {
    expect(urls('write to @anna:chat.example.org please')).toEqual([])
  })
})

describe('large emoji', () => {
  it('are one to four emoji and nothing else', () => {
    for (const text of ['😀', '❤️', '👍🏽', '👩‍👩‍👧', '🇩🇪', '🛶 🍂']) {
      expect(isEmojiOnly(text), text).toBe(true)
    }
    for (const text of ['hi 😀', '12', '😀😀😀😀😀', '', '#']) {
      expect(isEmojiOnly(text), text).toBe(false)
    }
  })
})
