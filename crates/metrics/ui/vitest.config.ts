import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// A zone with summer time, so that days of 23 and 25 hours are part of every run.
process.env['TZ'] = 'Europe/Paris';

export default defineConfig({
  plugins: [svelte()],
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
