/** A little happens at the demo school all the time, by the normal emit, so that what is live lives. */
import { type EmitDependencies, emitInTransaction } from '../events/emit.ts';
import { type Repeating, repeat } from '../lib/repeat.ts';
import type { Tenancy } from '../platform/database/tenancy.ts';
import { type Cast, happeningAt } from './activity.ts';
import { createChance } from './chance.ts';

export type TrickleOptions = EmitDependencies & {
  readonly tenancy: Pick<Tenancy, 'write'>;
  readonly organizationId: string;
  readonly cast: Cast;
  readonly onError: (error: Error) => void;
};

/** Of all processes together at most one event in each of these. */
const SLOT_MS = 10_000;
const SLOWEST_MS = 60_000;
// After two hours the pace begins to fall.
const SLOWING = 720;

/** Emits an event now and then until it is stopped; the first one not at once, since the server may not serve yet. */
export function startTrickle(options: TrickleOptions): Repeating {
  const startedAt = options.clock.now();
  let lastAt = startedAt;
  return repeat(
    async () => {
      const now = options.clock.now();
      if (now.getTime() - lastAt.getTime() < paceMs(now.getTime() - startedAt.getTime())) return;
      lastAt = now;
      await emitSlot(options, Math.floor(now.getTime() / SLOT_MS));
    },
    { intervalMs: SLOT_MS, onError: options.onError },
  );
}

/** Milliseconds from one event to the next: a demo that is left alone for days slows down, and grows little. */
export function paceMs(uptimeMs: number): number {
  return Math.min(SLOWEST_MS, Math.max(SLOT_MS, uptimeMs / SLOWING));
}

/** Emits the event of a slot. It depends on the slot alone: processes that share a database emit it once. */
export async function emitSlot(options: TrickleOptions, slot: number): Promise<void> {
  const { tenancy, organizationId, cast } = options;
  const occurredAt = new Date(slot * SLOT_MS);
  const event = { ...happeningAt(occurredAt, cast, createChance(slot)), occurredAt };
  const identity = { organizationId, role: 'CLIENT', userId: null } as const;
  await tenancy.write(identity, (unit) =>
    emitInTransaction(unit, organizationId, [{ ...event, idempotencyKey: `demo-${slot}` }], options),
  );
}
