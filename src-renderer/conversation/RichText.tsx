import { memo } from 'react'
import { useCore } from '../store/react.ts'
import { splitLinks } from './links.ts'

/** Message text with its links; a link never navigates, it asks to be opened outside. */
export const RichText = memo(function RichText({ text }: { text: string }) {
  const core = useCore()
  return splitLinks(text).map((piece, index) => {
    const { url } = piece
    return url === null ? (
      piece.text
    ) : (
      <a
        key={index}
        href={url}
        rel="noreferrer"
        onClick={(event) => {
          event.preventDefault()
          core.openLink(url)
        }}
        onAuxClick={(event) => event.preventDefault()}
      >
        {piece.text}
      </a>
    )
  })
})
