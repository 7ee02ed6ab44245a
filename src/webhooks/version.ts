/** Changes that were meant for another version than there is. */
import { AppError } from '../lib/errors.ts';

const WORDS = { WebhookSubscription: 'webhook subscription', Delivery: 'delivery' } as const;

/** Refuses (`CONFLICT`, naming the current one) unless the row has the version that is expected, if any is. */
export function requireVersion(
  type: keyof typeof WORDS,
  { id, version }: { readonly id: string; readonly version: number },
  expected: number | undefined,
): void {
  if (expected === undefined || expected === version) return;
  const message = `The ${WORDS[type]} was changed meanwhile: it has version ${version}, not ${expected}.`;
  throw new AppError('CONFLICT', message, { currentVersion: version, current: { type, id } });
}
