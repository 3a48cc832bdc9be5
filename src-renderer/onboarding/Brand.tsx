/** The mark: two people's speech overlapping; what they share is theirs alone. */
export function Brand({ size = 40 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 64 64" aria-hidden="true" className="brand">
      <path
        className="brand__a"
        d="M24 10c11.6 0 20 8.2 20 19s-8.400 19-20 19c-2.300 0-4.500-.3-6.500-.9-2.700 2.300-6.500 3.700-11 3.900-1 0-1.400-1.200-.7-1.900 2-1.900 3.200-4.300 3.500-6.900C6 38.900 4 34.300 4 29c0-10.800 8.400-19 20-19Z"
      />
      <path
        className="brand__b"
        d="M40 17c-11.600 0-20 8.200-20 19s8.400 19 20 19c2.300 0 4.500-.3 6.500-.9 2.500 1.700 5.700 2.700 9.500 2.800 1 0 1.400-1.100.7-1.800-1.700-1.700-2.700-3.700-3-5.900C57.900 45.600 60 41.200 60 36c0-10.800-8.400-19-20-19Z"
      />
      <path
        className="brand__shared"
        d="M40 17c1.100 0 2.100.1 3.100.2A19.200 19.200 0 0 1 44 29c0 10.800-8.400 19-20 19h-.4A18.400 18.400 0 0 1 20 36c0-10.800 8.400-19 20-19Z"
      />
    </svg>
  )
}
