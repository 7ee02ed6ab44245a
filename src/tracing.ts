/** Traces, where the configuration sets them up. */
import packageJson from '../package.json' with { type: 'json' };
import type { Config } from './config.ts';

/** Loaded only where it is set up: it is the heaviest of all packages. */
export async function openTracing({ tracing }: Config, onError: (error: Error) => void) {
  if (tracing === undefined) return undefined;
  const { startTracing } = await import('./platform/tracing/opentelemetry.ts');
  return startTracing({ ...tracing, serviceVersion: packageJson.version, onError });
}
