/** The mark: two people's speech overlapping; what they share is theirs alone. */
export function Brand({ size = 40 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 64 64" aria-hidden="true" className="brand">
      <g className="brand__a">
        <ellipse cx="24" cy="29" rx="20" ry="19" />
        <path d="M9.3 41.5c-.3 2.6-1.5 5.3-3.5 7.2-.7.7-.3 1.9.7 1.9 4.5-.2 8.3-1.6 11-3.9Z" />
      </g>
      <g className="brand__b">
        <ellipse cx="40" cy="36" rx="20" ry="19" />
        <path d="M54.3 48.7c.4 2.2 1.3 4.3 3 6 .7.7.3 1.8-.7 1.8-3.8-.1-7-1.1-9.5-2.8Z" />
      </g>
      <path
        className="brand__shared"
        d="M39.51 17.01A20 19 0 0 1 24.49 47.99A20 19 0 0 1 39.51 17.01Z"
      />
    </svg>
  )
}
