const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

const opening = indexedDB.open('vault', 1)
opening.onupgradeneeded = () => opening.result.createObjectStore('records')
const opened = done(opening)

const ops = {
  async put(db, key, value) {
    const work = db.transaction('records', 'readwrite', { durability: 'strict' })
    work.objectStore('records').put(value, key)
    await new Promise((resolve, reject) => {
      work.oncomplete = resolve
      work.onabort = () => reject(work.error)
    })
    return true
  },
  get: (db, key) => done(db.transaction('records').objectStore('records').get(key)),
  count: (db) => done(db.transaction('records').objectStore('records').count()),
}

addEventListener('message', (event) => {
  const [port] = event.ports
  port.onmessage = async ({ data: { id, op, args } }) => {
    port.postMessage({ id, result: await ops[op](await opened, ...args) })
  }
})
