#!/usr/bin/env node
import { onPinnedNode } from '../src-platform/on-pinned-node.js'

await onPinnedNode('eccp-conformance', new URL('main.ts', import.meta.url))
