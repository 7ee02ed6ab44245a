/** What is measured, on one page: names, labels, and where each value comes from. docs/guides/operations.md explains them. */
import type { Pool } from 'pg';
import packageJson from '../package.json' with { type: 'json' };
import type { ObserveOperation } from './graphql/operation-count.ts';
import type { Clock } from './lib/clock.ts';
import type { ObserveRequest } from './platform/http/metrics.ts';
import { readOutboxState } from './platform/mail/outbox.ts';
import type { Metrics } from './platform/metrics/metrics.ts';
import { sampled } from './platform/metrics/sampled.ts';
import type { Deliveries } from './webhooks/deliveries.ts';
import { readQueueState, readStreamLag } from './webhooks/queue-state.ts';
import type { ObserveSettled } from './webhooks/settlement.ts';

/** What the features call as they go. */
export type Observers = {
  readonly observeRequest: ObserveRequest;
  readonly observeOperation: ObserveOperation;
  readonly observeSettled: ObserveSettled;
};

export type PoolState = {
  readonly connections: Pick<Pool, 'totalCount' | 'idleCount' | 'waitingCount'>;
  readonly max: number;
};

/** What is looked at when somebody asks. */
export type Watched = {
  readonly role: string;
  readonly pools: Readonly<Record<string, PoolState>>;
  readonly subscriberCount: () => number;
  /** Undefined in a process that sends nothing. */
  readonly deliveries: Pick<Deliveries, 'load'> | undefined;
  readonly workerPool: Pool;
  /** Logs in as a member of the role optio_auth. */
  readonly authPool: Pool;
  readonly clock: Clock;
  readonly onError: (error: Error) => void;
};

const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const ATTEMPT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const SAMPLING = { maxAgeMs: 5_000, timeoutMs: 2_000 };

/** Makes the counters and histograms. */
export function createObservers(metrics: Metrics): Observers {
  const request = metrics.histogram({
    name: 'optio_http_request_duration_seconds',
    help: 'Time from the request to the beginning of its answer.',
    labels: ['method', 'route', 'status'],
    bucketsSeconds: REQUEST_BUCKETS,
  });
  const operation = metrics.counter({
    name: 'optio_graphql_operations_total',
    help: 'GraphQL operations, by kind and by what came of them.',
    labels: ['kind', 'outcome'],
  });
  return {
    observeRequest: ({ method, route, status, seconds }) => request([method, route, status], seconds),
    observeOperation: (kind, outcome) => operation([kind, outcome]),
    observeSettled: observeSettled(metrics),
  };
}

const OUTCOMES = { succeeded: 'succeeded', retry: 'retrying', failed: 'failed' } as const;

/** The results of a batch are added up first: the counter is told once for each outcome and kind of error in it. */
function observeSettled(metrics: Metrics): ObserveSettled {
  const settled = metrics.counter({
    name: 'optio_delivery_attempts_total',
    help: 'Attempts that were recorded, by what follows for the delivery and, unless it succeeded, by the kind of error.',
    labels: ['outcome', 'error_kind'],
  });
  settled(['succeeded', ''], 0);
  const duration = metrics.histogram({
    name: 'optio_delivery_attempt_duration_seconds',
    help: 'Whole attempts, from resolving the name to the last byte.',
    bucketsSeconds: ATTEMPT_BUCKETS,
  });
  return (batch) => {
    const counts = new Map<string, { readonly labels: readonly string[]; count: number }>();
    for (const { outcome, result } of batch) {
      const errorKind = outcome.kind === 'succeeded' ? '' : outcome.errorKind;
      const key = `${outcome.kind} ${errorKind}`;
      const entry = counts.get(key) ?? { labels: [OUTCOMES[outcome.kind], errorKind], count: 0 };
      entry.count += 1;
      counts.set(key, entry);
      duration([], result.timing.totalMs / 1_000);
    }
    for (const { labels, count } of counts.values()) settled(labels, count);
  };
}

/** Makes the gauges. Those that ask the database do so at most every 5 s, and are missing when it does not answer. */
export function watch(metrics: Metrics, watched: Watched): void {
  metrics.gauge(
    { name: 'optio_build_info', help: 'Always 1; what runs is in the labels.', labels: ['version', 'role'] },
    () => [{ labels: [packageJson.version, watched.role], value: 1 }],
  );
  watchPools(metrics, watched.pools);
  watchStream(metrics, watched);
  watchQueue(metrics, watched);
  watchMails(metrics, watched);
  if (watched.deliveries !== undefined) watchDeliveries(metrics, watched.deliveries);
}

function watchPools(metrics: Metrics, pools: Watched['pools']): void {
  const gauge = (name: string, help: string, read: (pool: PoolState) => number): void =>
    metrics.gauge({ name, help, labels: ['pool'] }, () =>
      Object.entries(pools).map(([pool, state]) => ({ labels: [pool], value: read(state) })),
    );
  metrics.gauge(
    { name: 'optio_database_connections', help: 'Connections of each pool.', labels: ['pool', 'state'] },
    () =>
      Object.entries(pools).flatMap(
        ([
          pool,
          {
            connections: { totalCount, idleCount },
          },
        ]) => [
          { labels: [pool, 'idle'], value: idleCount },
          { labels: [pool, 'used'], value: totalCount - idleCount },
        ],
      ),
  );
  gauge('optio_database_connections_max', 'How many connections each pool may have.', ({ max }) => max);
  gauge(
    'optio_database_waiting_requests',
    'What waits for a connection of each pool.',
    ({ connections }) => connections.waitingCount,
  );
}

function watchStream(metrics: Metrics, { workerPool, clock, onError, subscriberCount }: Watched): void {
  const lag = sampled(() => readStreamLag(workerPool, clock.now()), { ...SAMPLING, clock, onError });
  metrics.gauge(
    { name: 'optio_stream_subscribers', help: 'Live streams that are open in this process.' },
    () => [{ value: subscriberCount() }],
  );
  metrics.gauge(
    {
      name: 'optio_stream_lag_seconds',
      help: 'Age of the oldest line of the update log that waits for an older transaction.',
    },
    async () => samplesOf(await lag()),
  );
  metrics.gauge(
    {
      name: 'optio_database_up',
      help: 'Whether the database answered this process within 2 s (1) or not (0).',
    },
    async () => [{ value: (await lag()) === undefined ? 0 : 1 }],
  );
}

/** In every process: when no worker is left, somebody has to tell. */
function watchQueue(metrics: Metrics, { workerPool, clock, onError }: Watched): void {
  const queue = sampled(() => readQueueState(workerPool, clock.now()), { ...SAMPLING, clock, onError });
  metrics.gauge(
    { name: 'optio_lanes_waiting', help: 'Lanes of the whole installation with a delivery that is due.' },
    async () => samplesOf((await queue())?.lanes),
  );
  metrics.gauge(
    {
      name: 'optio_oldest_due_seconds',
      help: 'For how long the oldest delivery of the whole installation that is due has been so.',
    },
    async () => samplesOf((await queue())?.oldestDueSeconds),
  );
}

/** In every process, as the queue: whoever sends mails may be gone. */
function watchMails(metrics: Metrics, { authPool, clock, onError }: Watched): void {
  const outbox = sampled(() => readOutboxState(authPool, clock.now()), { ...SAMPLING, clock, onError });
  metrics.gauge(
    { name: 'optio_mails_waiting', help: 'Mails of the whole installation that are not sent yet.' },
    async () => samplesOf((await outbox())?.waiting),
  );
  metrics.gauge(
    {
      name: 'optio_oldest_mail_seconds',
      help: 'For how long the oldest mail that is not sent yet has waited.',
    },
    async () => samplesOf((await outbox())?.oldestSeconds),
  );
}

function watchDeliveries(metrics: Metrics, { load }: Pick<Deliveries, 'load'>): void {
  const gauge = (name: string, help: string, read: () => number): void =>
    metrics.gauge({ name, help }, () => [{ value: read() }]);
  gauge('optio_lanes_held', 'Lanes that this worker pumps.', () => load().lanes);
  gauge('optio_delivery_attempts_in_flight', 'Attempts on the wire.', () => load().sending);
  gauge('optio_settlement_backlog', 'Results that the database has not taken yet.', () => load().backlog);
}

function samplesOf(value: number | undefined): readonly { readonly value: number }[] {
  return value === undefined ? [] : [{ value }];
}
