window.hadApi = typeof window.api === 'object'
addEventListener('DOMContentLoaded', () => {
  document.getElementById('greet').addEventListener('click', async () => {
    const [name] = await window.api.echo(document.getElementById('name').value)
    document.getElementById('out').textContent = `Hello, ${name}`
  })
})
