import { defineConfig } from 'prisma/config';

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  // Written by hand in the migrations, and used by hand-written SQL only.
  experimental: { externalTables: true },
  tables: { external: ['public.delivery_updates', 'public.installation', 'public.partitioning'] },
});
