// Three entries: the page, its benchmark, and the element alone under a fixed name so that other sites can import it.
import { defineConfig, type Plugin } from 'vite';

/** The development server injects inline styles and a web socket, which the page's policy forbids: drop it there only. */
const policyOnlyInBuild: Plugin = {
  name: 'policy-only-in-build',
  apply: 'serve',
  transformIndexHtml: (html) => html.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, ''),
};

export default defineConfig({
  // Relative addresses: the folder works from any static host and any subfolder.
  base: './',
  plugins: [policyOnlyInBuild],
  worker: { format: 'es' },
  build: {
    target: 'es2023',
    // The policy allows no data: addresses for scripts or wasm, and inlining would hide sizes from the budget.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { index: 'index.html', bench: 'bench.html', 'tessera-viewer': 'src/viewer/index.ts' },
      preserveEntrySignatures: 'exports-only',
      output: {
        entryFileNames: (chunk) => (chunk.name === 'tessera-viewer' ? 'tessera-viewer.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
});
