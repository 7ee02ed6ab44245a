/**
 * Prisma's schema engine in its WebAssembly form, instantiated (0.1 s) when this module is first imported, which
 * a start that has nothing to migrate does not do. Its bindings serve one instance per process: with a second
 * one they would call into the wrong memory.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';

// The types of Node.js leave it to those of the browser.
declare const WebAssembly: {
  instantiate: (
    bytes: Uint8Array,
    imports: Readonly<Record<string, object>>,
  ) => Promise<{ readonly instance: { readonly exports: Readonly<Record<string, unknown>> } }>;
};

// The engine calls this global when it panics; the exception that follows says nothing by itself.
Object.assign(globalThis, {
  PRISMA_WASM_PANIC_REGISTRY: {
    set_message: (message: string) => {
      throw new Error(`Prisma's schema engine panicked: ${message}`);
    },
  },
});

await instantiate();

export const SchemaEngine = bindings.SchemaEngine;

async function instantiate(): Promise<void> {
  const path = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const bytes = await readFile(path.replace(/\.js$/, '.wasm'));
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
}

/**
 * The engine sets a timer of ten seconds when it waits for its lock and never clears it: it would keep a
 * program alive that is done.
 */
function withoutLingeringTimers(imports: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(imports).map(([name, value]: [string, unknown]) =>
      name.startsWith('__wbg_setTimeout_') ? [name, setUnreferenced] : [name, value],
    ),
  );
}

function setUnreferenced(callback: () => void, delayMs: number): NodeJS.Timeout {
  return setTimeout(callback, delayMs >>> 0).unref();
}
