import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Pothos and Yoga load graphql's ESM build; without these conditions Vitest loads its development build beside it.
  ssr: { resolve: { conditions: ['module', 'node'], externalConditions: ['node', 'module-sync'] } },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    // Its ESM build, which the conditions above choose, names files without their extension; Node alone cannot load it.
    server: { deps: { inline: [/@opentelemetry/, /pg-boss/] } },
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
