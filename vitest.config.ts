import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Pothos and Yoga load graphql's ESM build; without these conditions Vitest loads its development build beside it.
  // Not the condition `module`: Vitest hands it to Node, which cannot load builds that are made for bundlers.
  ssr: { resolve: { conditions: ['module-sync', 'node'], externalConditions: ['node', 'module-sync'] } },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
