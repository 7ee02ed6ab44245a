import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { PATIENCE_MS } from './test/support/patience.ts';
import { LongestFirst } from './test/support/sequencer.ts';

// What Node compiled is kept for the tests' own processes and for the servers that they start, as in `npm start`.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/compile');

export default defineConfig({
  // Pothos and Yoga load graphql's ESM build; without these conditions Vitest loads its development build beside it.
  // Not the condition `module`: Vitest hands it to Node, which cannot load builds that are made for bundlers.
  ssr: { resolve: { conditions: ['module-sync', 'node'], externalConditions: ['node', 'module-sync'] } },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    sequence: { sequencer: LongestFirst },
    pool: 'forks',
    maxWorkers: 2,
    // Twice as long, so that what was waited for is named, and not the test alone.
    testTimeout: 2 * PATIENCE_MS,
    hookTimeout: 2 * PATIENCE_MS,
    expect: { poll: { timeout: PATIENCE_MS } },
  },
});
