/** Receipts: delivered and read, signed by the device that says so. */
export * from './receipt.ts'
