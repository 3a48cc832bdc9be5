/** The conformance suite's device serves the node's own tests too. */
export * from '../../conformance/device.ts'
