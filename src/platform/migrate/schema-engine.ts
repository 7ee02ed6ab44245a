/** Prisma's schema engine: the same one as behind `prisma migrate`, without a download. */
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg';
import { createEngineAdapter, type RunScript } from './engine-adapter.ts';

export type EngineOptions = {
  readonly url: string;
  /** The text of schema.prisma, where a comparison with it is wanted. */
  readonly schema?: string;
  readonly runScript?: RunScript;
};

/** What the engine leaves out of its comparisons: nothing. */
export const FILTERS = { externalTables: [], externalEnums: [] };

/** Runs `use` with an engine connected to a database, and closes everything after. */
export async function withSchemaEngine<Result>(
  options: EngineOptions,
  use: (engine: SchemaEngine) => Promise<Result>,
): Promise<Result> {
  const { SchemaEngine: Engine } = await import('./engine-instance.ts');
  const adapter = createEngineAdapter(options.url, options.runScript);
  try {
    const engine = await Engine.new(
      { datamodels: options.schema === undefined ? undefined : [['schema.prisma', options.schema]] },
      () => undefined,
      bindMigrationAwareSqlAdapterFactory(adapter.factory),
    );
    try {
      return await use(engine);
    } finally {
      engine.free();
    }
  } finally {
    await adapter.close();
  }
}

/** What an error of the engine says, without the places in its source. */
export function engineMessage(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.split(/\n\s+0: /)[0]?.trim() ?? message;
}
