/** What is measured on a database that has grown: the product's own functions, each beside what it asks of PostgreSQL. */
import { Client } from 'pg';
import { requestContext } from '../../src/accounts/viewer.ts';
import { emitEvents } from '../../src/events/emit.ts';
import { EVENT_TYPES } from '../../src/events/event-type.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { inTransaction } from '../../src/platform/database/pool.ts';
import type { Settled } from '../../src/webhooks/attempt.ts';
import type { WebhookContext } from '../../src/webhooks/context.ts';
import { listDeliveries } from '../../src/webhooks/delivery.ts';
import { type ClaimedDelivery, claimDue } from '../../src/webhooks/lane-sql.ts';
import { settleBatch } from '../../src/webhooks/settlement-sql.ts';
import { readStatistics } from '../../src/webhooks/statistics.ts';
import { verifyWork } from './benchmark.ts';
import type { GrownDatabase } from './growth-database.ts';

/** Does its work once, and answers how many milliseconds it took. */
export type Work = (database: GrownDatabase) => Promise<number>;

export const PAGE = 50;
export const EMITTED = 50;
const DAY_MS = 86_400_000;
const timing = { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: 1, totalMs: 2 };

export const WORKS: Readonly<Record<string, Work>> = {
  'list, newest': (database) => list(database, {}),
  'list, failed': (database) => list(database, { statuses: ['FAILED'] }),
  'list of a subscription': (database) => list(database, { subscriptionId: database.subscriptionIds[3] }),
  'statistics, 30 days by day': (database) => statistics(database, { bucket: 'day' }),
  'statistics, 30 days by hour': (database) => statistics(database, { bucket: 'hour' }),
  'statistics, by day and subscription': (database) =>
    statistics(database, { bucket: 'day', groupBy: ['subscription'] }),
  emit: async (database) => {
    const context = contextOf(database);
    const events = Array.from({ length: EMITTED }, example);
    const [ms, emitted] = await timed(() => emitEvents(context, events));
    verifyWork('what was emitted', emitted.length, EMITTED);
    return ms;
  },
  // Of what emit left: of each lane its share.
  claim: async (database) => {
    const [ms, claimed] = await timed(() => claim(database));
    verifyWork('what was claimed', claimed.length, EMITTED * database.subscriptionIds.length);
    return ms;
  },
  settle: async (database) => {
    const batch = (await claim(database)).map(succeeded);
    const [ms, ids] = await timed(() =>
      inTransaction(database.workerPool, (client) => settleBatch(client, batch, new Date())),
    );
    verifyWork('what was settled', ids.length, batch.length);
    return ms;
  },
};

async function list(database: GrownDatabase, filter: Parameters<typeof listDeliveries>[1]): Promise<number> {
  const [ms, page] = await timed(() => listDeliveries(contextOf(database), filter, { limit: PAGE }));
  verifyWork('the size of the page', page.items.length, PAGE);
  return ms;
}

async function statistics(
  database: GrownDatabase,
  question: Parameters<typeof readStatistics>[1],
): Promise<number> {
  const since = new Date(Date.now() - 31 * DAY_MS);
  const [ms, { total }] = await timed(() => readStatistics(contextOf(database), { since, ...question }));
  verifyWork(
    'whether all deliveries are counted',
    total.succeeded + total.failed >= database.deliveries,
    true,
  );
  return ms;
}

async function claim({ claimPool, organizationId, subscriptionIds }: GrownDatabase) {
  const lanes = subscriptionIds.map((subscriptionId) => ({ organizationId, subscriptionId, limit: 100 }));
  const claims = await claimDue(claimPool, lanes, [], new Date());
  return claims.flatMap(({ deliveries }) => deliveries);
}

function succeeded(delivery: ClaimedDelivery): Settled {
  return {
    delivery,
    startedAt: new Date(),
    // As large as what is stored: smaller rows would each go into the rest of another old page.
    requestHeaders: [['content-type', 'application/json']],
    result: { kind: 'response', status: 200, headers: [], body: 'ok', bodyTruncated: false, timing },
    outcome: { kind: 'succeeded' },
  };
}

function contextOf({ tenancy, organizationId }: GrownDatabase): WebhookContext {
  const viewer = {
    organizationId,
    role: 'CLIENT',
    userId: null,
    clientId: 'bench',
    scopes: ['write:webhooks', 'read:events', 'write:events'],
    expiresAt: new Date(Date.now() + DAY_MS),
    tokenId: null,
  } as const;
  return {
    ...requestContext(tenancy, viewer),
    clock: systemClock,
    keys: [Buffer.alloc(32)],
    targetPolicy: { allow: [], allowHttp: true },
    wakeLanes: () => undefined,
  };
}

function example() {
  const type = EVENT_TYPES.find(({ name }) => name === 'task.completed');
  if (type === undefined) throw new Error('There is no event type task.completed.');
  return { type: type.name, data: type.example };
}

async function timed<T>(work: () => Promise<T>): Promise<readonly [ms: number, result: T]> {
  const start = performance.now();
  const result = await work();
  return [performance.now() - start, result];
}

/** The plans of the statements that read, as the work asks them, explained by whoever may see all. */
export async function plansOf(database: GrownDatabase, work: Work): Promise<readonly string[]> {
  const statements = await record(() => work(database));
  const plans: string[] = [];
  for (const { text, values } of statements) {
    await database.owner.query('BEGIN');
    const { rows } = await database.owner.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN (ANALYZE, BUFFERS, SUMMARY) ${text}`,
      [...values],
    );
    await database.owner.query('ROLLBACK');
    plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
  }
  return plans;
}

type Statement = { readonly text: string; readonly values: readonly unknown[] };

async function record(work: () => Promise<unknown>): Promise<readonly Statement[]> {
  const statements: Statement[] = [];
  const original = Client.prototype.query;
  Reflect.set(Client.prototype, 'query', function (this: Client, ...given: unknown[]) {
    const [first, second] = given;
    const text = typeof first === 'string' ? first : String(Reflect.get(Object(first), 'text'));
    const values = typeof first === 'string' ? second : Reflect.get(Object(first), 'values');
    // What writes cannot be done a second time.
    const reads = /^\s*(SELECT|WITH)/i.test(text) && !/INSERT|UPDATE|emit_events/.test(text);
    if (reads && Array.isArray(values) && values.length > 1) {
      statements.push({ text, values });
    }
    return Reflect.apply(original, this, given);
  });
  try {
    await work();
  } finally {
    Reflect.set(Client.prototype, 'query', original);
  }
  return statements;
}
