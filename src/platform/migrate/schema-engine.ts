/** Prisma's schema engine in its WebAssembly form: the same one as behind `prisma migrate`, without a download. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg';
import { createEngineAdapter, type RunScript } from './engine-adapter.ts';

// The types of Node.js leave it to those of the browser.
declare const WebAssembly: {
  instantiate: (
    bytes: Uint8Array,
    imports: Readonly<Record<string, object>>,
  ) => Promise<{ readonly instance: { readonly exports: Readonly<Record<string, unknown>> } }>;
};

export type EngineOptions = {
  readonly url: string;
  /** The text of schema.prisma, where a comparison with it is wanted. */
  readonly schema?: string;
  readonly runScript?: RunScript;
};

/** What the engine leaves out of its comparisons: nothing. */
export const FILTERS = { externalTables: [], externalEnums: [] };

/** Runs `use` with an engine connected to a database; loads the engine anew (0.1 s), closes everything after. */
export async function withSchemaEngine<Result>(
  options: EngineOptions,
  use: (engine: SchemaEngine) => Promise<Result>,
): Promise<Result> {
  const { SchemaEngine: Engine } = await loadEngine();
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

async function loadEngine() {
  // Imported here, for a start that has nothing to migrate goes without.
  const bindings = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const path = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const bytes = await readFile(path.replace(/\.js$/, '.wasm'));
  // The engine calls this global when it panics; the exception that follows says nothing by itself.
  Object.assign(globalThis, {
    PRISMA_WASM_PANIC_REGISTRY: {
      set_message: (message: string) => {
        throw new Error(`Prisma's schema engine panicked: ${message}`);
      },
    },
  });
  const { instance } = await WebAssembly.instantiate(bytes, {
    './schema_engine_bg.js': withoutLingeringTimers(bindings),
  });
  // oxlint-disable-next-line no-underscore-dangle -- the name that wasm-bindgen gives it
  bindings.__wbg_set_wasm(instance.exports);
  const start = instance.exports['__wbindgen_start'];
  if (typeof start !== 'function') {
    throw new TypeError('The schema engine has no start function: its package is of another version.');
  }
  start();
  return bindings;
}

/**
 * The engine sets a timer of ten seconds when it waits for its lock and never clears it: it would keep a
 * program alive that is done.
 */
function withoutLingeringTimers(bindings: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(bindings).map(([name, value]: [string, unknown]) =>
      name.startsWith('__wbg_setTimeout_') ? [name, setUnreferenced] : [name, value],
    ),
  );
}

function setUnreferenced(callback: () => void, delayMs: number): NodeJS.Timeout {
  return setTimeout(callback, delayMs >>> 0).unref();
}
