/** A little happens at the demo school all the time, by the learning core itself, so that what is live lives. */
import { z } from 'zod';
import { once } from '../accounts/idempotency.ts';
import { requestContext } from '../accounts/viewer.ts';
import { AppError } from '../lib/errors.ts';
import { type Repeating, repeat } from '../lib/repeat.ts';
import { type ActDependencies, act } from './acts.ts';
import { createChance } from './chance.ts';

export type TrickleOptions = ActDependencies & { readonly onError: (error: Error) => void };

/** Of all processes together at most one act in each of these. */
const SLOT_MS = 10_000;
const SLOWEST_MS = 60_000;
// After two hours the pace begins to fall.
const SLOWING = 720;

/** Lets something happen now and then until it is stopped; first not at once, since the server may not serve yet. */
export function startTrickle(options: TrickleOptions): Repeating {
  const startedAt = options.clock.now();
  let lastAt = startedAt;
  return repeat(
    async () => {
      const now = options.clock.now();
      if (now.getTime() - lastAt.getTime() < paceMs(now.getTime() - startedAt.getTime())) return;
      lastAt = now;
      await actInSlot(options, Math.floor(now.getTime() / SLOT_MS));
    },
    { intervalMs: SLOT_MS, onError: options.onError },
  );
}

/** Milliseconds from one act to the next: a demo that is left alone for days slows down, and grows little. */
export function paceMs(uptimeMs: number): number {
  return Math.min(SLOWEST_MS, Math.max(SLOT_MS, uptimeMs / SLOWING));
}

/** Lets the act of a slot happen, unless another process that shares the database was first. */
export async function actInSlot(options: ActDependencies, slot: number): Promise<void> {
  if (!(await claim(options, slot))) return;
  try {
    await act(options, createChance(slot));
  } catch (error) {
    // The school is there to be tried out: somebody has just done it, or has removed whom it is about.
    if (error instanceof AppError && ['CONFLICT', 'NOT_FOUND'].includes(error.code)) return;
    throw error;
  }
}

const CLAIMED = z.object({});

/** True for the one who asks first. What crashes after it leaves out one act of a show. */
function claim({ tenancy, organizationId, clock, keys }: ActDependencies, slot: number): Promise<boolean> {
  const expiresAt = new Date(clock.now().getTime() + SLOT_MS);
  const identity = { organizationId, role: 'CLIENT', userId: null, clientId: 'demo' } as const;
  const viewer = { ...identity, scopes: [], expiresAt, tokenId: null };
  const request = { operation: 'demo', key: `demo-${slot}`, input: slot, answer: CLAIMED };
  return requestContext(tenancy, viewer).write(async (unit) => {
    const { deduplicated } = await once(unit, { viewer, clock, keys }, request, async () => ({}));
    return !deduplicated;
  });
}
