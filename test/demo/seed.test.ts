import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootstrap } from '../../src/accounts/bootstrap.ts';
import { requestContext } from '../../src/accounts/viewer.ts';
import { closeDemo } from '../../src/demo/closing.ts';
import { type Demo, openDemo } from '../../src/demo/demo.ts';
import { DEMO_ACCOUNTS, DEMO_CLIENT, DEMO_ORGANIZATION, DEMO_PASSWORD } from '../../src/demo/school.ts';
import { verifyPassword } from '../../src/lib/crypto.ts';
import { bootstrapClient } from '../../src/oauth/bootstrap-client.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { listDeliveries } from '../../src/webhooks/delivery.ts';
import { TEST_KEY } from '../support/database.ts';
import { machineViewer, openWorld, type World } from '../support/world.ts';

const RECEIVER = 'http://127.0.0.1:4000/demo/receiver';
const ADMIN = 'head@school.example';

let world: World;
let owner: Pool;
let first: string;
beforeAll(async () => {
  world = await openWorld();
  owner = createPool({
    url: world.database.ownerUrl,
    maxConnections: 2,
    queryTimeoutMs: 0,
    onIdleError: () => undefined,
  });
  const { clock } = world;
  const made = await bootstrap({
    pool: owner,
    clock,
    options: { adminEmail: ADMIN },
    bootstrapClient: bootstrapClient({}, clock),
  });
  first = made.organization.id;
});
afterAll(async () => {
  await owner.end();
  await world.close();
});

function open(receiverUrl = RECEIVER, pool = owner): Promise<Demo> {
  const retrySeconds = [60, 120, 240, 480, 960];
  const options = { pool, clock: world.clock, keys: [TEST_KEY] as const, adminEmail: ADMIN, retrySeconds };
  return openDemo({ ...options, receiverUrl, servesReceiver: true });
}

const TABLES = [
  'organizations',
  'users',
  'user_passwords',
  'memberships',
  'oauth_clients',
  'oauth_client_secrets',
  'webhook_subscriptions',
  'webhook_secrets',
  'webhook_subscription_health',
  'events',
  'deliveries',
  'delivery_attempts',
  'quests',
  'tasks',
  'badges',
  'learners',
  'enrolments',
  'submissions',
  'task_completions',
  'badge_awards',
  'grades',
];

/** How many rows each table has. */
async function counts(): Promise<Record<string, unknown>> {
  const sql = TABLES.map((table) => `(SELECT count(*)::int FROM ${table}) AS ${table}`).join(', ');
  const [row] = await world.query(`SELECT ${sql}`);
  return row ?? {};
}

/** A pool whose transactions break at the first statement that contains the text. */
function breakingAt(text: string): Pool {
  return new Proxy(owner, {
    get: (target, key) => {
      if (key !== 'connect') return Reflect.get(target, key).bind?.(target);
      return async () => {
        const client = await target.connect();
        const query = client.query.bind(client);
        return Object.assign(Object.create(client), {
          query: (statement: string | { text: string }, values?: unknown[]) => {
            const sql = typeof statement === 'string' ? statement : statement.text;
            if (sql.includes(text)) return Promise.reject(new Error('The process was killed here.'));
            return typeof statement === 'string' ? query(statement, values) : query(statement);
          },
          release: (error?: Error) => client.release(error),
        });
      };
    },
  });
}

describe('The demo', () => {
  it('is all or nothing: a start that is broken off leaves nothing, wherever that was', async () => {
    const before = await counts();
    for (const text of ['INTO users', 'INTO webhook_secrets', 'INTO delivery_attempts', 'COMMIT']) {
      await expect(open(RECEIVER, breakingAt(text))).rejects.toThrow('killed');
      expect(await counts()).toEqual(before);
    }
  });

  it('is an organization of its own, beside the first one, which stays the first and stays empty', async () => {
    const demo = await open();
    const rows = await world.query('SELECT id, name FROM organizations ORDER BY id');
    expect(rows).toEqual([
      { id: first, name: 'Optio Academy' },
      { id: demo.organizationId, name: DEMO_ORGANIZATION.name },
    ]);
    const context = world.context(first);
    expect((await listDeliveries(context, {}, { limit: 10 })).items).toEqual([]);
  });

  it('has users of each role, who sign in with the known password', async () => {
    const rows = await world.query(
      `SELECT u.email, m.role, p.hash FROM users u JOIN user_passwords p ON p.user_id = u.id
       JOIN memberships m ON m.user_id = u.id JOIN organizations o ON o.id = m.organization_id
       WHERE o.slug = $1 AND u.email <> $2`,
      [DEMO_ORGANIZATION.slug, ADMIN],
    );
    expect(rows.map(({ email, role }) => [email, role].join(' ')).toSorted()).toEqual(
      DEMO_ACCOUNTS.map(({ email, role }) => `${email} ${role}`).toSorted(),
    );
    expect(new Set(rows.map(({ role }) => role))).toEqual(new Set(['ADMIN', 'EDUCATOR', 'STUDENT']));
    for (const { hash } of rows.slice(0, 1))
      expect(await verifyPassword(String(hash), DEMO_PASSWORD)).toBe(true);
  });

  it("can be looked at by the installation's own admin, whose own organization comes first", async () => {
    const rows = await world.query(
      `SELECT m.organization_id AS id, m.role FROM memberships m JOIN users u ON u.id = m.user_id
       WHERE u.email = $1 ORDER BY m.created_at, m.organization_id`,
      [ADMIN],
    );
    const { organizationId } = await open();
    expect(rows).toEqual([
      { id: first, role: 'ADMIN' },
      { id: organizationId, role: 'ADMIN' },
    ]);
  });

  it('has subscriptions in every state, with their health', async () => {
    const rows = await world.query(
      `SELECT s.description, s.status, s.disabled_reason AS reason, s.rate_limit_per_second AS rate, h.consecutive_failures AS failures,
         (SELECT count(*)::int FROM deliveries d WHERE d.subscription_id = s.id AND d.status = 'RETRYING') AS retrying,
         (SELECT count(*)::int FROM deliveries d WHERE d.subscription_id = s.id AND d.status = 'HELD') AS held
       FROM webhook_subscriptions s JOIN webhook_subscription_health h ON h.subscription_id = s.id ORDER BY s.id`,
    );
    const named = (text: string) => rows.find(({ description }) => String(description).startsWith(text));
    expect(rows.length).toBe(8);
    expect(named('Canvas')).toMatchObject({ status: 'ACTIVE', failures: 0 });
    expect(named('Parent newsletter')?.['failures']).toBeGreaterThan(5);
    expect(named('Parent newsletter')?.['retrying']).toBeGreaterThan(0);
    expect(named('Submission inbox')).toMatchObject({ status: 'ACTIVE', rate: 1 });
    expect(named('Student records')).toMatchObject({ status: 'PAUSED', held: 29 });
    expect(named('Old gradebook')).toMatchObject({
      status: 'DISABLED',
      reason: expect.stringContaining('410 Gone'),
      failures: 1,
      held: 44,
    });
  });

  it('has its history in partitions of its time', async () => {
    const [row] = await world.query(
      `SELECT (SELECT count(*) FROM ONLY events_default)::int + (SELECT count(*) FROM ONLY deliveries_default)::int
         + (SELECT count(*) FROM ONLY delivery_attempts_default)::int AS strays`,
    );
    expect(row).toEqual({ strays: 0 });
  });

  it('has a class whose counts agree with what it has done', async () => {
    const { organizationId } = await open();
    const rows = await world.query(
      `SELECT l.tasks_completed = count(c) AS tasks, l.quests_completed = count(DISTINCT e.id) FILTER (WHERE e.completed_at IS NOT NULL) AS quests,
         l.stem_xp + l.arts_xp + l.civics_xp + l.communication_xp + l.wellness_xp
           = (SELECT sum(xp_earned) FROM enrolments x WHERE x.organization_id = l.organization_id AND x.user_id = l.user_id) AS xp
       FROM learners l JOIN enrolments e USING (organization_id, user_id)
       LEFT JOIN task_completions c USING (organization_id, user_id, quest_id)
       WHERE l.organization_id = $1 GROUP BY l.organization_id, l.user_id`,
      [organizationId],
    );
    expect(rows.length).toBeGreaterThan(8);
    expect(rows).toEqual(rows.map(() => ({ tasks: true, quests: true, xp: true })));
  });

  it('lists like any other: attempts, responses, retries', async () => {
    const { organizationId } = await open();
    const page = await listDeliveries(world.context(organizationId), { statuses: ['FAILED'] }, { limit: 50 });
    expect(page.items.length).toBeGreaterThan(5);
    expect(page.items.map(({ lastResponseCode }) => lastResponseCode)).toContain(500);
    expect(Math.max(...page.items.map(({ attemptCount }) => attemptCount))).toBe(6);
  });

  it('cannot be seen from another organization', async () => {
    const { organizationId } = await open();
    const viewer = machineViewer(first, world.clock);
    const found = await requestContext(world.tenancy, viewer).read((tx) =>
      tx.delivery.findMany({ where: { organizationId }, take: 1 }),
    );
    expect(found).toEqual([]);
  });

  it('is not made twice; its subscriptions follow the receiver to another port', async () => {
    const before = await counts();
    const demo = await open('http://127.0.0.1:4321/demo/receiver');
    expect(await open('http://127.0.0.1:4321/demo/receiver')).toEqual(demo);
    expect(await counts()).toEqual(before);
    const rows = await world.query('SELECT target_url AS url, version FROM webhook_subscriptions');
    expect(rows.filter(({ url }) => !String(url).startsWith('http://127.0.0.1:4321/'))).toEqual([]);
    // Once each: the worker opens a subscription anew when its version changes.
    expect(new Set(rows.map(({ version }) => version))).toEqual(new Set([2]));
  });

  it('leaves a target alone that somebody changed', async () => {
    const url = 'https://lms.example/hooks';
    await world.query(`UPDATE webhook_subscriptions SET target_url = $1 WHERE description LIKE 'Canvas%'`, [
      url,
    ]);
    await open();
    const rows = await world.query(`SELECT target_url FROM webhook_subscriptions WHERE target_url = $1`, [
      url,
    ]);
    expect(rows.length).toBe(1);
  });
});

describe('A start without the demo', () => {
  const state = async () => {
    const [users, clients, others] = await Promise.all([
      world.query('SELECT DISTINCT deactivated_at IS NULL AS active FROM users WHERE email LIKE $1', [
        '%@riverside.example',
      ]),
      world.query('SELECT status FROM oauth_clients WHERE client_id = $1', [DEMO_CLIENT.clientId]),
      world.query(
        `SELECT (SELECT deactivated_at IS NULL FROM users WHERE email = $1) AS admin,
         (SELECT status FROM oauth_clients WHERE client_id <> $2) AS client`,
        [ADMIN, DEMO_CLIENT.clientId],
      ),
    ]);
    return { users, clients, others };
  };
  const others = [{ admin: true, client: 'APPROVED' }];

  it('closes every account whose password is known, and no other; with it they are open again', async () => {
    await open();
    await closeDemo(owner, world.clock);
    await closeDemo(owner, world.clock);
    expect(await state()).toEqual({ users: [{ active: false }], clients: [{ status: 'SUSPENDED' }], others });
    await open();
    expect(await state()).toEqual({ users: [{ active: true }], clients: [{ status: 'APPROVED' }], others });
  });
});
