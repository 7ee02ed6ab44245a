/**
 * The reckoning after a fault: what was emitted and what the receiver saw, held against what the database says (webhooks
 * rules 13 to 17). Nothing may be lost, stuck or recorded twice; what was sent twice is counted.
 */
import { Client as Database } from 'pg';

/** What the database says of a delivery. */
export type Recorded = {
  readonly id: string;
  readonly eventId: string;
  readonly subscriptionId: string;
  readonly status: string;
  readonly attemptCount: number;
  readonly version: number;
  /** The numbers of the attempts, and the versions in the update log, in their order. */
  readonly attempts: readonly number[];
  readonly updates: readonly number[];
};

/** A request that the receiver saw; times in milliseconds of this process's monotonic clock. */
export type Seen = {
  readonly deliveryId: string;
  readonly at: number;
  /** When it was answered; undefined when it was not. */
  readonly answeredAt: number | undefined;
  /** Undefined: not answered, or its connection was broken instead. */
  readonly status: number | undefined;
};

export type Emitted = { readonly eventId: string; readonly subscriptionIds: readonly string[] };

export type Reckoning = {
  readonly deliveries: number;
  readonly attempts: number;
  readonly requests: number;
  /** Requests beyond the recorded attempts, by their delivery. */
  readonly repeated: readonly string[];
  /** Committed and not there, or said to have succeeded though the receiver never took it. */
  readonly lost: readonly string[];
  /** Neither ended nor held. */
  readonly stuck: readonly string[];
  /** Recorded in another number than they happened: attempts and updates count from 1 without gap or repetition. */
  readonly miscounted: readonly string[];
};

const READ = `
  SELECT d.id, d.event_id AS "eventId", d.subscription_id AS "subscriptionId", d.status, d.attempt_count AS "attemptCount", d.version,
    ARRAY(SELECT number FROM delivery_attempts a WHERE a.organization_id = d.organization_id AND a.delivery_id = d.id ORDER BY number) AS attempts,
    coalesce(u.updates, '{}') AS updates
  FROM deliveries d LEFT JOIN (
    SELECT delivery_id, array_agg(version ORDER BY version) AS updates FROM delivery_updates GROUP BY delivery_id
  ) u ON u.delivery_id = d.id
  ORDER BY d.id`;

/** Reads all deliveries as the owner. */
export async function readRecorded(ownerUrl: string): Promise<readonly Recorded[]> {
  const database = new Database({ connectionString: ownerUrl });
  await database.connect();
  try {
    return (await database.query<Recorded>(READ)).rows;
  } finally {
    await database.end();
  }
}

const ENDED = new Set(['SUCCEEDED', 'FAILED', 'HELD', 'CANCELLED']);

/** Holds them against each other. */
export function reckon(
  emitted: readonly Emitted[],
  recorded: readonly Recorded[],
  seen: readonly Seen[],
): Reckoning {
  const requests = Map.groupBy(seen, ({ deliveryId }) => deliveryId);
  const requestsOf = ({ id }: Recorded): readonly Seen[] => requests.get(id) ?? [];
  const ids = (found: readonly Recorded[]): readonly string[] => found.map(({ id }) => id);
  return {
    deliveries: recorded.length,
    attempts: recorded.reduce((sum, { attemptCount }) => sum + attemptCount, 0),
    requests: seen.length,
    repeated: recorded.flatMap((one) =>
      Array.from({ length: countRepeated(one, requestsOf(one)) }, () => one.id),
    ),
    lost: [
      ...missing(emitted, recorded),
      ...ids(recorded.filter((one) => one.status === 'SUCCEEDED' && !requestsOf(one).some(wasTaken))),
    ],
    stuck: ids(recorded.filter(({ status }) => !ENDED.has(status))),
    miscounted: ids(recorded.filter((one) => !isCounted(one))),
  };
}

/**
 * One attempt may send twice: when a connection that was used before breaks without an answer, as it does when a
 * receiver closes it just then. So a request whose connection the receiver broke excuses another.
 */
function countRepeated({ attemptCount }: Recorded, requests: readonly Seen[]): number {
  const broken = requests.filter(
    ({ status, answeredAt }) => answeredAt !== undefined && status === undefined,
  );
  return Math.max(0, requests.length - broken.length - attemptCount);
}

function wasTaken({ status = 0 }: Seen): boolean {
  return status >= 200 && status < 300;
}

/** What was committed and has no delivery. */
function missing(emitted: readonly Emitted[], recorded: readonly Recorded[]): readonly string[] {
  const key = (eventId: string, subscriptionId: string): string => `${eventId} ${subscriptionId}`;
  const there = new Set(recorded.map((one) => key(one.eventId, one.subscriptionId)));
  return emitted
    .flatMap(({ eventId, subscriptionIds }) => subscriptionIds.map((id) => key(eventId, id)))
    .filter((wanted) => !there.has(wanted));
}

function isCounted({ attemptCount, attempts, version, updates }: Recorded): boolean {
  return countsTo(attempts, attemptCount) && countsTo(updates, version);
}

function countsTo(numbers: readonly number[], last: number): boolean {
  return numbers.length === last && numbers.every((number, index) => number === index + 1);
}
