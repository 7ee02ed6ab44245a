import { readFile } from 'node:fs/promises';
import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestContext, type Viewer } from '../../src/accounts/viewer.ts';
import { AUDIT_ACTIONS } from '../../src/audit/action.ts';
import { type Act, OPERATOR, PLATFORM, SYSTEM } from '../../src/audit/entry.ts';
import { record, recordOn } from '../../src/audit/record.ts';
import { newId } from '../../src/lib/ids.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { createTenancy, type Tenancy } from '../../src/platform/database/tenancy.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import { addClient, addOrganization, addUser } from './people.ts';

const NOW = new Date('2026-11-25T08:00:00.000Z');
const ORIGIN = { address: '192.0.2.7', userAgent: 'a browser', requestId: 'request-1' };
const ACT: Act = { action: 'delivery.cancelled', target: { type: 'Delivery', id: newId() } };

let database: TestDatabase;
let tenancy: Tenancy;
let owner: Pool;
let worker: Pool;
let auth: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  tenancy = createTenancy({ url: database.urls.tenantUrl, maxConnections: 2, onIdleError: () => {} });
  const pool = (url: string) => createPool({ url, maxConnections: 2, onIdleError: () => {} });
  owner = pool(database.ownerUrl);
  worker = pool(database.urls.workerUrl);
  auth = pool(database.urls.authUrl);
});
afterAll(async () => {
  await Promise.all([tenancy.close(), owner.end(), worker.end(), auth.end()]);
  await database.drop();
});

const entriesOf = (organizationId: string) =>
  query(database.ownerUrl, 'SELECT * FROM audit_entries WHERE organization_id = $1 ORDER BY id', [
    organizationId,
  ]);

function contextOf(viewer: Partial<Viewer> & Pick<Viewer, 'organizationId'>) {
  const whole = {
    role: 'ADMIN',
    userId: null,
    clientId: null,
    scopes: null,
    expiresAt: NOW,
    tokenId: null,
  } as const;
  return requestContext(tenancy, { ...whole, ...viewer }, ORIGIN);
}

describe('an entry of a request', () => {
  it('says who did what to what, from where, and what it changed', async () => {
    const organizationId = await addOrganization(owner);
    const userId = await addUser(owner, { email: 'ada@school.example', organizations: [organizationId] });
    const context = contextOf({ organizationId, userId });
    const target = { type: 'WebhookSubscription', id: newId(), label: 'https://lms.example/hooks' } as const;
    const changes = { max_concurrency: { from: 10, to: 5 } };
    await context.write(({ tx }) =>
      record(tx, context, NOW, { action: 'webhook_subscription.updated', target, changes }),
    );
    expect(await entriesOf(organizationId)).toEqual([
      {
        organization_id: organizationId,
        id: expect.any(String),
        at: NOW,
        action: 'webhook_subscription.updated',
        actor_kind: 'USER',
        actor_id: userId,
        actor_label: 'ada@school.example',
        client_id: null,
        target_type: 'WebhookSubscription',
        target_id: target.id,
        target_label: 'https://lms.example/hooks',
        changes,
        occurrences: 1,
        address: '192.0.2.7',
        user_agent: 'a browser',
        request_id: 'request-1',
      },
    ]);
  });

  it('names the client that acted for its organization', async () => {
    const organizationId = await addOrganization(owner);
    const clientId = await addClient(owner, organizationId, 'Our LMS');
    const context = contextOf({ organizationId, role: 'CLIENT', clientId, scopes: [] });
    await context.write(({ tx }) => record(tx, context, NOW, ACT));
    expect(await entriesOf(organizationId)).toMatchObject([
      { actor_kind: 'CLIENT', actor_id: clientId, actor_label: 'Our LMS', client_id: null },
    ]);
  });

  it('names the client that acted for a user', async () => {
    const organizationId = await addOrganization(owner);
    const userId = await addUser(owner, { organizations: [organizationId] });
    const context = contextOf({ organizationId, userId, clientId: 'lms', scopes: ['write'] });
    await context.write(({ tx }) => record(tx, context, NOW, ACT));
    expect(await entriesOf(organizationId)).toMatchObject([
      { actor_kind: 'USER', actor_id: userId, client_id: 'lms' },
    ]);
  });

  it('is not there when what it tells of is rolled back', async () => {
    const organizationId = await addOrganization(owner);
    const context = contextOf({ organizationId, clientId: 'lms' });
    const failed = context.write(async ({ tx }) => {
      await record(tx, context, NOW, ACT);
      throw new Error('It did not happen.');
    });
    await expect(failed).rejects.toThrow('It did not happen.');
    expect(await entriesOf(organizationId)).toEqual([]);
  });

  it('is made in the log of its own organization only', async () => {
    const [ours, theirs] = [await addOrganization(owner), await addOrganization(owner)];
    const context = contextOf({ organizationId: ours, clientId: 'lms' });
    const forged = { ...context, viewer: { ...context.viewer, organizationId: theirs } };
    await expect(context.write(({ tx }) => record(tx, forged, NOW, ACT))).rejects.toThrow(
      /row-level security/,
    );
    expect(await entriesOf(theirs)).toEqual([]);
  });

  it('holds no more of a user agent and a label than can be shown', async () => {
    const organizationId = await addOrganization(owner);
    const context = contextOf({ organizationId, clientId: 'lms' });
    const source = { ...context.source, userAgent: 'x'.repeat(10_000) };
    const target = { type: 'User', id: newId(), label: 'é'.repeat(10_000) } as const;
    await context.write(({ tx }) => record(tx, { ...context, source }, NOW, { ...ACT, target }));
    expect(await entriesOf(organizationId)).toMatchObject([
      { user_agent: 'x'.repeat(256), target_label: 'é'.repeat(200) },
    ]);
  });
});

describe('secrets', () => {
  it.each(['secret', 'client_secret', 'password', 'access_token', 'hash', 'sealed_headers', 'code'])(
    'a field named %s is not recorded: that is a mistake of ours (oauth rule 56)',
    async (field) => {
      const changes = { [field]: { from: 'old', to: 'new' } };
      const place = { organizationId: newId() };
      await expect(recordOn(owner, { place, source: SYSTEM, now: NOW }, { ...ACT, changes })).rejects.toThrow(
        `must not hold the field ${field}`,
      );
    },
  );
});

describe('an entry of a person who acts for no organization', () => {
  it('stands in the log of each organization that the person is a member of, under one id', async () => {
    const [first, second, other] = await Promise.all([1, 2, 3].map(() => addOrganization(owner)));
    const userId = await addUser(owner, { organizations: [first ?? '', second ?? ''] });
    const source = { ...ORIGIN, actor: { kind: 'USER', id: userId, clientId: null } } as const;
    await recordOn(auth, { place: { userId }, source, now: NOW }, { action: 'password.changed' });
    const [[one], [two]] = [await entriesOf(first ?? ''), await entriesOf(second ?? '')];
    expect(one).toMatchObject({ action: 'password.changed', actor_id: userId, address: '192.0.2.7' });
    expect(two).toEqual({ ...one, organization_id: second });
    expect(await entriesOf(other ?? '')).toEqual([]);
    expect((await entriesOf(PLATFORM)).filter((entry) => entry.actor_id === userId)).toEqual([]);
  });

  it.each([
    ['an admin of the platform', { isPlatformAdmin: true }],
    ['a person without an organization', { isPlatformAdmin: false }],
  ])("of %s stands in the platform's own log", async (_, { isPlatformAdmin }) => {
    const organizations = isPlatformAdmin ? [await addOrganization(owner)] : [];
    const userId = await addUser(owner, { organizations, isPlatformAdmin });
    const source = { ...ORIGIN, actor: { kind: 'USER', id: userId, clientId: null } } as const;
    await recordOn(auth, { place: { userId }, source, now: NOW }, { action: 'session.started' });
    const entries = (await entriesOf(PLATFORM)).filter((entry) => entry.actor_id === userId);
    expect(entries).toHaveLength(1);
    for (const id of organizations) expect(await entriesOf(id)).toHaveLength(1);
  });
});

describe('the roles of the database', () => {
  it.each([
    ['the worker', () => worker, SYSTEM],
    ['the authorization server', () => auth, SYSTEM],
    ['the owner', () => owner, OPERATOR],
  ])('%s adds to the log of any organization', async (_, db, source) => {
    const organizationId = await addOrganization(owner);
    await recordOn(db(), { place: { organizationId }, source, now: NOW }, ACT);
    expect(await entriesOf(organizationId)).toMatchObject([
      { actor_kind: source.actor.kind, actor_id: null, actor_label: null, address: null },
    ]);
  });

  it.each(['worker', 'auth'] as const)('%s reads nothing of it', async (name) => {
    const url = { worker: database.urls.workerUrl, auth: database.urls.authUrl }[name];
    await expect(query(url, 'SELECT id FROM audit_entries')).rejects.toMatchObject({ code: '42501' });
  });

  it.each(['tenant', 'worker', 'auth'] as const)('%s changes and deletes nothing of it', async (name) => {
    const { tenantUrl: tenant, workerUrl: worker_, authUrl: auth_ } = database.urls;
    const url = { tenant, worker: worker_, auth: auth_ }[name];
    for (const statement of [
      "UPDATE audit_entries SET action = 'x'",
      'DELETE FROM audit_entries',
      'TRUNCATE audit_entries',
      "SELECT optio.expire_audit_entries('2020-01-01')",
    ]) {
      await expect(query(url, statement)).rejects.toMatchObject({ code: '42501' });
    }
  });

  it.each([
    ['ADMIN', 1],
    ['EDUCATOR', 0],
    ['STUDENT', 0],
    ['CLIENT', 0],
  ] as const)('a tenant as %s sees %d of the one entry of its organization', async (role, count) => {
    const organizationId = await addOrganization(owner);
    await recordOn(owner, { place: { organizationId }, source: OPERATOR, now: NOW }, ACT);
    const found = await tenancy.read({ organizationId, userId: null, role }, (tx) => tx.auditEntry.count());
    expect(found).toBe(count);
  });

  it("an ADMIN sees nothing of another organization's, nor of the platform's", async () => {
    const [ours, theirs] = [await addOrganization(owner), await addOrganization(owner)];
    for (const organizationId of [theirs, PLATFORM]) {
      await recordOn(owner, { place: { organizationId }, source: OPERATOR, now: NOW }, ACT);
    }
    const identity = { organizationId: ours, userId: null, role: 'ADMIN' } as const;
    expect(await tenancy.read(identity, (tx) => tx.auditEntry.findMany())).toEqual([]);
  });
});

describe('retention', () => {
  const expire = 'SELECT optio.expire_audit_entries($1, 2) AS count';
  const days = (count: number) => new Date(Date.now() - count * 86_400_000);

  it('deletes what is older than the owner names, piece by piece', async () => {
    const place = { organizationId: await addOrganization(owner) };
    for (const at of [days(300), days(250), days(200), days(100)]) {
      await recordOn(owner, { place, source: SYSTEM, now: at }, ACT);
    }
    expect(await query(database.ownerUrl, expire, [days(150)])).toEqual([{ count: 2 }]);
    expect(await query(database.ownerUrl, expire, [days(150)])).toEqual([{ count: 1 }]);
    expect(await entriesOf(place.organizationId)).toHaveLength(1);
  });

  it('never touches the last 90 days', async () => {
    await expect(query(database.ownerUrl, expire, [days(89)])).rejects.toMatchObject({ code: '22023' });
  });

  it('is not done by the job that drops partitions', async () => {
    const { workerUrl } = database.urls;
    const drop = "SELECT optio.drop_expired_partition('audit_entries', now())";
    const strays = "SELECT optio.delete_expired_strays('audit_entries', now(), 10)";
    for (const statement of [drop, strays]) {
      await expect(query(workerUrl, statement)).rejects.toThrow('query returned no rows');
    }
  });
});

describe('the catalogue', () => {
  it('stands in the guide, action by action, and nothing else does', async () => {
    const guide = await readFile(new URL('../../docs/guides/audit.md', import.meta.url), 'utf8');
    const table = guide.slice(guide.indexOf('## What is recorded'), guide.indexOf('## Refused attempts'));
    const rows = table.split('\n').filter((line) => line.startsWith('| `'));
    const named = rows.flatMap((row) =>
      [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
    );
    expect(named.toSorted()).toEqual(AUDIT_ACTIONS.map(({ name }) => name).toSorted());
  });

  it('has a name made of a subject and what happened, and a sentence, for each action', () => {
    for (const { name, description } of AUDIT_ACTIONS) {
      expect(name).toMatch(/^[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*$/);
      expect(description).toMatch(/^[A-Z].*\.$/);
    }
  });
});
