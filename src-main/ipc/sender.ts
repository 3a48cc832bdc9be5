/** Whether an IPC message comes from the app's own top frame in one of its own windows. */

/** What is looked at of Electron's event; a frame that is gone is null. */
export interface IpcSender {
  readonly sender: { readonly id: number }
  readonly senderFrame: {
    readonly url: string
    readonly origin: string
    readonly parent: unknown
  } | null
}

export function isTrustedSender(
  event: IpcSender,
  origin: string,
  ownWindows: ReadonlySet<number>,
): boolean {
  const frame = event.senderFrame
  return (
    frame !== null &&
    // An embedded frame has no business here, whatever its address.
    frame.parent === null &&
    frame.origin === origin &&
    frame.url.startsWith(`${origin}/`) &&
    ownWindows.has(event.sender.id)
  )
}
