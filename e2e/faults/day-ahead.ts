/** Preloaded into a process: on SIGUSR2 it takes it for the same time a day later. Timers go on as before. */
const day = 86_400_000
const now = Date.now.bind(Date)
let ahead = 0

Date.now = () => now() + ahead
process.on('SIGUSR2', () => {
  ahead += day
})
