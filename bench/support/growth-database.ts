/** A database with as many stored deliveries as are asked for: a month of them, to ten subscriptions, as the product would have left it. */
import { Client, type Pool } from 'pg';
import { newId } from '../../src/lib/ids.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { createTenancy, type Tenancy } from '../../src/platform/database/tenancy.ts';
import { provisionLogins } from '../../src/platform/database-roles.ts';
import { migrate } from '../../src/platform/migrate/migrate.ts';
import { CLAIM_SETTINGS } from '../../src/webhooks/lane-sql.ts';
import { compactStatistics } from '../../src/webhooks/statistics-job.ts';
import { verifyWork } from './benchmark.ts';

export type GrownDatabase = {
  readonly name: string;
  readonly deliveries: number;
  readonly organizationId: string;
  readonly subscriptionIds: readonly string[];
  readonly owner: Client;
  readonly workerPool: Pool;
  readonly claimPool: Pool;
  readonly tenancy: Tenancy;
  readonly close: () => Promise<void>;
};

export type GrowthOptions = {
  /** Of the cluster's owner. */
  readonly url: string;
  readonly name: string;
  readonly deliveries: number;
  readonly key: Buffer;
  readonly directory: string;
  readonly report: (line: string) => void;
};

const SUBSCRIPTIONS = 10;
const PER_STATEMENT = 500_000;
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Makes it, and says what it holds. Every tenth delivery needed a second attempt, every fiftieth failed. */
export async function growDatabase(options: GrowthOptions): Promise<GrownDatabase> {
  const { name, key, deliveries, report } = options;
  const url = await createDatabase(options);
  await migrate({ url, directory: options.directory, log: SILENT });
  const urls = await provisionLogins({ ownerUrl: url, key });
  const owner = new Client({ connectionString: url });
  await owner.connect();
  const onIdleError = (): void => undefined;
  const workerPool = createPool({
    url: urls.workerUrl,
    maxConnections: 4,
    onIdleError,
    queryTimeoutMs: 600_000,
  });
  const claimPool = createPool({
    url: urls.workerUrl,
    maxConnections: 1,
    settings: CLAIM_SETTINGS,
    onIdleError,
    queryTimeoutMs: 600_000,
  });
  const tenancy = createTenancy({ url: urls.tenantUrl, maxConnections: 4, onIdleError });
  const organizationId = newId();
  const subscriptionIds = Array.from({ length: SUBSCRIPTIONS }, () => newId());
  await makeTenant(owner, organizationId, subscriptionIds);
  const start = performance.now();
  await fill(owner, { ...options, organizationId });
  await owner.query(COUNT_HISTORY, [organizationId]);
  await compactStatistics(workerPool, new Date());
  await owner.query('VACUUM ANALYZE');
  await owner.query('CHECKPOINT');
  report(
    `${deliveries.toLocaleString('en')} deliveries in ${Math.round((performance.now() - start) / 1_000)} s`,
  );
  const { rows } = await owner.query<{ count: number }>('SELECT count(*)::int AS count FROM deliveries');
  verifyWork('the number of deliveries', rows[0]?.count, deliveries);
  return {
    name,
    deliveries,
    organizationId,
    subscriptionIds,
    owner,
    workerPool,
    claimPool,
    tenancy,
    close: async () => {
      await Promise.all([tenancy.close(), workerPool.end(), claimPool.end(), owner.end()]);
    },
  };
}

async function createDatabase({ url, name }: GrowthOptions): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`CREATE DATABASE ${name} TEMPLATE template0`);
  await client.end();
  const own = new URL(url);
  own.pathname = `/${name}`;
  return own.href;
}

async function makeTenant(owner: Client, organizationId: string, ids: readonly string[]): Promise<void> {
  await owner.query("INSERT INTO organizations (id, slug, name) VALUES ($1, 'growth', 'Growth')", [
    organizationId,
  ]);
  await owner.query(
    `INSERT INTO webhook_subscriptions (organization_id, id, target_url, event_types)
     SELECT $1, id, 'http://127.0.0.1:9999/', '{task.completed}' FROM unnest($2::uuid[]) AS id`,
    [organizationId, ids],
  );
  await owner.query("SELECT optio.ensure_partitions(now() - interval '31 days')");
  await owner.query('SELECT optio.ensure_partitions()');
}

// The n-th of $2 lies at its share of the last 30 days; its id tells that time, and is unlike any other.
const AT = `(now() - interval '30 days' + interval '30 days' * (n::float8 / $2))`;
const ID = (salt: string) =>
  `(lpad(to_hex((extract(epoch FROM ${AT}) * 1000)::bigint), 12, '0') || '7' || left(md5('${salt}' || n), 3) || '8' || right(md5('${salt}' || n), 15))::uuid`;

const FILL = `
  WITH made AS MATERIALIZED (
    SELECT n, ${AT} AS at, ${ID('delivery')} AS id, ${ID('event')} AS event_id,
      (ARRAY['task.completed', 'task.submitted', 'quest.completed', 'badge.earned', 'grade.updated', 'user.registered'])[1 + n % 6] AS type,
      (SELECT array_agg(id ORDER BY id) FROM webhook_subscriptions) AS subscriptions
    FROM generate_series($3::int, $4::int) AS n
  ), event AS (
    INSERT INTO events (organization_id, id, type, occurred_at, body)
    SELECT $1, event_id, type, at, '{"event":"' || type || '","data":{"user_id":"' || n || '","note":"' || repeat('x', 200) || '"}}' FROM made
  ), delivery AS (
    INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, attempt_count, version, last_response_code, completed_at)
    SELECT $1, id, subscriptions[1 + n % 10], event_id, type,
      CASE WHEN n % 50 = 0 THEN 'FAILED' ELSE 'SUCCEEDED' END::"DeliveryStatus", CASE WHEN n % 10 = 0 THEN 2 ELSE 1 END, 2,
      CASE WHEN n % 50 = 0 THEN 500 ELSE 200 END, at + interval '1 second'
    FROM made
  )
  INSERT INTO delivery_attempts (organization_id, delivery_id, number, started_at, first_byte_ms, total_ms, request_headers, response_code, response_headers, response_body, error_kind)
  SELECT $1, id, number, at, 5, 4 * (1 + n % 3), '[["content-type","application/json"]]', CASE WHEN failed THEN 500 ELSE 200 END, '[]', 'ok',
    CASE WHEN failed THEN 'http_status' END
  FROM made CROSS JOIN LATERAL (
    SELECT number, n % 50 = 0 OR (n % 10 = 0 AND number = 1) AS failed
    FROM generate_series(1, CASE WHEN n % 10 = 0 THEN 2 ELSE 1 END) AS number) AS attempt`;

async function fill(
  owner: Client,
  { organizationId, deliveries, report }: GrowthOptions & { readonly organizationId: string },
): Promise<void> {
  await owner.query('SET synchronous_commit = off');
  for (let first = 1; first <= deliveries; first += PER_STATEMENT) {
    const last = Math.min(deliveries, first + PER_STATEMENT - 1);
    await owner.query(FILL, [organizationId, deliveries, first, last]);
    if (last % 1_000_000 === 0) report(`${last.toLocaleString('en')} stored`);
  }
}

// As optio.recount_statistics, but by the hour: two days of minutes are all that would be kept of the rest.
const COUNT_HISTORY = `
  INSERT INTO delivery_statistics_deltas (organization_id, minute, subscription_id, event_type, ended, reason, bin, count)
  SELECT d.organization_id, date_trunc('hour', a.started_at), d.subscription_id, d.event_type, NULL, a.error_kind,
    optio.latency_bin(a.total_ms, a.error_kind), count(*)
  FROM delivery_attempts a JOIN deliveries d ON d.organization_id = a.organization_id AND d.id = a.delivery_id
  WHERE a.organization_id = $1 GROUP BY 1, 2, 3, 4, 6, 7
  UNION ALL
  SELECT organization_id, date_trunc('hour', completed_at), subscription_id, event_type, status::text, NULL, NULL, count(*)
  FROM deliveries WHERE organization_id = $1 GROUP BY 1, 2, 3, 4, 5`;
