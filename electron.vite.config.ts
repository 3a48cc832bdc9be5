/**
 * How the desktop app is built: main with the personal node's entry, the two preloads, and the two pages
 * (the user interface and the vault's hidden page).
 */
import react from '@vitejs/plugin-react'
import { defineConfig } from 'electron-vite'

/** Left in node_modules: native code, and what the node's process loads by itself. */
const external = ['electron', /^node:/, '@node-rs/argon2', /^fastify/, /^@fastify\//, /^pino/]

/** Font packages name WOFF beside WOFF2 for browsers that Electron is not. */
const onlyWoff2 = {
  postcssPlugin: 'only-woff2',
  Declaration: {
    src(declaration: { value: string }): void {
      const smaller = declaration.value.replace(/,\s*url\([^)]*\.woff\)\s*format\('woff'\)/g, '')
      if (smaller !== declaration.value) declaration.value = smaller
    },
  },
}

export default defineConfig({
  main: {
    build: {
      outDir: 'out/main',
      // Pure JavaScript is bundled: one file starts faster than hundreds.
      externalizeDeps: false,
      minify: false,
      sourcemap: true,
      rollupOptions: {
        external,
        input: { index: 'src-main/index.ts', node: 'src-homeserver/main.ts' },
        output: {
          format: 'es',
          entryFileNames: '[name].js',
          chunkFileNames: 'chunks/[name]-[hash].js',
        },
      },
    },
  },
  preload: {
    build: {
      outDir: 'out/preload',
      externalizeDeps: false,
      isolatedEntries: true,
      minify: false,
      rollupOptions: {
        external: ['electron'],
        input: { index: 'src-main/preload.ts', vault: 'src-main/preload-vault.ts' },
        // A sandboxed preload is CommonJS and can load nothing beside it.
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    root: '.',
    base: './',
    publicDir: false,
    plugins: [react()],
    css: { postcss: { plugins: [onlyWoff2] } },
    build: {
      outDir: 'out/renderer',
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      rollupOptions: {
        input: { app: 'src-renderer/index.html', vault: 'src-main/vault-page/index.html' },
      },
    },
  },
})
