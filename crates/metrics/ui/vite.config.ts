import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

/** Beside every file of the build its compressed forms, so that no request ever compresses it. */
function compressed(): Plugin {
  let dist = '';
  return {
    name: 'compressed',
    apply: 'build',
    configResolved(config) {
      dist = join(config.root, config.build.outDir);
    },
    closeBundle() {
      for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
        const file = join(dist, name);
        if (!statSync(file).isFile() || /\.(br|gz)$/.test(name)) continue;
        const bytes = readFileSync(file);
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
        writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params }));
        writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [svelte(), compressed()],
  build: {
    target: 'es2022',
    // A data: URI in a style sheet would need a wider content security policy than files do.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // ECharts is one chunk of about 700 kB (200 kB on the wire), asked for beside the first answers of the API.
    chunkSizeWarningLimit: 800,
  },
  // `npm run dev` against a Vigie that runs: what is not the page's own goes there.
  server: { proxy: { '^/(api|services|login|logout|metrics|healthz|readyz)': 'http://127.0.0.1:2812' } },
});
