const { ipcRenderer } = require('electron')

ipcRenderer.on('vault-port', (event) => {
  window.postMessage('port', '*', [event.ports[0]])
})
