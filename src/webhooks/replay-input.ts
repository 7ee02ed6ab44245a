/** What is asked of a replay, checked. */
import { keyFaults } from '../accounts/idempotency.ts';
import { findEventType } from '../events/event-type.ts';
import type { DeliveryStatus } from '../generated/prisma/client.ts';
import { type Fault, validationError } from '../lib/errors.ts';
import { REPLAYABLE } from './replay-sql.ts';

export type ReplayFilter = {
  /** What of this webhook subscription. Needed for `missing`. */
  readonly subscriptionId?: string | undefined;
  /** All if left out; for `missing`: those that the subscription wants. */
  readonly eventTypes?: readonly string[] | undefined;
  /** The deliveries that ended so; not for `missing`. */
  readonly statuses?: readonly DeliveryStatus[] | undefined;
  /** Events that the subscription was never sent, as those from before it was there, rather than deliveries again. */
  readonly missing?: boolean | undefined;
  /** Created at this time or later. */
  readonly since?: Date | undefined;
  /** Created before this time; now if left out. */
  readonly until?: Date | undefined;
};

export type ReplayRequest = ReplayFilter & {
  /** New deliveries a second, at most: 1 to 1,000. */
  readonly ratePerSecond?: number | undefined;
  /** The same key within 24 hours starts nothing more. 1 to 200 characters. */
  readonly idempotencyKey?: string | undefined;
};

export const DEFAULT_RATE = 100;
export const MAX_RATE = 1_000;

/** Throws `VALIDATION` with all that does not fit. */
export function requireReplayRequest(request: ReplayRequest): void {
  const { eventTypes = [], since, until, ratePerSecond = DEFAULT_RATE } = request;
  const faults: Fault[] = [
    ...eventTypes
      .filter((name) => findEventType(name) === undefined)
      .map((name) => ({
        path: ['event_types'],
        message: `There is no event type ${JSON.stringify(name.slice(0, 200))}.`,
      })),
    ...(since !== undefined && until !== undefined && since >= until
      ? [{ path: ['until'], message: 'Expected a time after the beginning (since).' }]
      : []),
    ...(Number.isInteger(ratePerSecond) && ratePerSecond >= 1 && ratePerSecond <= MAX_RATE
      ? []
      : [{ path: ['rate_per_second'], message: `Expected a whole number from 1 to ${MAX_RATE}.` }]),
    ...(request.missing === true ? missingFaults(request) : statusFaults(request)),
    ...keyFaults(request.idempotencyKey),
  ];
  if (faults.length > 0) throw validationError(faults);
}

function missingFaults({ subscriptionId, statuses }: ReplayRequest): readonly Fault[] {
  return [
    ...(subscriptionId === undefined
      ? [
          {
            path: ['subscription_id'],
            message: 'Expected the webhook subscription that is to get what it missed.',
          },
        ]
      : []),
    ...(statuses === undefined
      ? []
      : [{ path: ['statuses'], message: 'What was never sent has no status: leave it out.' }]),
  ];
}

/** What is to be sent a second time has to be said: nobody wants that by accident. */
function statusFaults({ statuses = [] }: ReplayRequest): readonly Fault[] {
  const fits = statuses.length > 0 && statuses.every((status) => REPLAYABLE.some((one) => one === status));
  if (fits) return [];
  const message = `Expected which deliveries, by how they ended: ${REPLAYABLE.join(', ')}; what waits is sent anyhow.`;
  return [{ path: ['statuses'], message }];
}
