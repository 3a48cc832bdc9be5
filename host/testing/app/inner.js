document.title = typeof window.api
