const { contextBridge, ipcRenderer } = require('electron')

contextBridge.exposeInMainWorld('api', {
  echo: (...args) => ipcRenderer.invoke('echo', ...args),
  who: () => ipcRenderer.invoke('who'),
  fail: () => ipcRenderer.invoke('fail'),
  vault: (...args) => ipcRenderer.invoke('vault', ...args),
  shut: () => ipcRenderer.invoke('shut'),
  on(channel, listener) {
    const wrapped = (_event, ...args) => listener(...args)
    ipcRenderer.on(channel, wrapped)
    return () => ipcRenderer.off(channel, wrapped)
  },
  each: (items, visit) => items.map((item) => visit(item)),
  later: (ms, value) => new Promise((resolve) => setTimeout(() => resolve(value), ms)),
  boom() {
    throw new RangeError('over there')
  },
  platform: process.platform,
  nested: { deep: { version: process.versions.electron } },
})

window.addEventListener('message', (event) => {
  if (event.data?.to === 'main') ipcRenderer.postMessage('ports', event.data.name, [event.ports[0]])
})
