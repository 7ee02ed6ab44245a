import { vi } from 'vitest';
import { PATIENCE_MS } from './patience.ts';

const LOOK_EVERY_MS = 20;

/** Looks until `check` no longer throws, and answers what it answers. Throws its last error when it never does. */
export function eventually<T>(check: () => T | Promise<T>, interval: number = LOOK_EVERY_MS): Promise<T> {
  return vi.waitFor(check, { timeout: PATIENCE_MS, interval });
}

/** Asks until the answer is true; throws when it never is. For hooks, where nothing is expected. */
export async function untilTrue(
  isSo: () => boolean | Promise<boolean>,
  interval: number = LOOK_EVERY_MS,
): Promise<void> {
  await vi.waitUntil(isSo, { timeout: PATIENCE_MS, interval });
}
