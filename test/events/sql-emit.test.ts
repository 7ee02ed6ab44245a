import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EVENT_TYPES } from '../../src/events/event-type.ts';
import { storeCatalog } from '../../src/events/store-catalog.ts';
import { newId } from '../../src/lib/ids.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { createSubscription } from '../../src/webhooks/subscription.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let platform: Client;
let login: string;
let organizationId: string;

// The platform's own login, with what docs/guides/sql-emit.md says it needs.
beforeAll(async () => {
  world = await openWorld();
  const owner = createPool({ url: world.database.ownerUrl, maxConnections: 1, onIdleError: () => undefined });
  await storeCatalog(owner);
  await owner.end();
  login = `platform_${randomBytes(6).toString('hex')}`;
  await world.query(`CREATE ROLE ${login} LOGIN PASSWORD 'platform'`);
  await world.query(`GRANT optio_emitter TO ${login}`);
  const url = new URL(world.database.ownerUrl);
  url.username = login;
  url.password = 'platform';
  platform = new Client({ connectionString: url.href });
  await platform.connect();
});
afterAll(async () => {
  await platform.end();
  await world.query(`DROP ROLE ${login}`);
  await world.close();
});
beforeEach(async () => {
  organizationId = await world.createOrganization();
});

async function emit(
  type: string | null,
  data: unknown,
  {
    occurredAt,
    key,
    organization = organizationId,
  }: { occurredAt?: Date; key?: string; organization?: string } = {},
): Promise<string> {
  const { rows } = await platform.query<{ id: string }>('SELECT optio.emit_event($1, $2, $3, $4, $5) AS id', [
    organization,
    type,
    data === undefined ? null : JSON.stringify(data),
    occurredAt ?? null,
    key ?? null,
  ]);
  return rows[0]?.id ?? '';
}

const subscribe = (targetUrl: string) =>
  createSubscription(world.context(organizationId), { targetUrl, eventTypes: ['*'] });
const events = () =>
  world.query('SELECT id, type FROM events WHERE organization_id = $1 ORDER BY id', [organizationId]);
const { data } = exampleEvent();

describe('optio.emit_event (webhooks rule 6)', () => {
  it('stores the event and its deliveries, which the scan finds: the same envelope as from elsewhere', async () => {
    const receiver: Receiver = await startReceiver();
    await subscribe(receiver.url);
    world.startWorker();
    const occurredAt = new Date('2026-03-01T10:00:00.125Z');
    const id = await emit('task.completed', data, { occurredAt });
    world.clock.advance(60_000); // It stood still, while the database's did not.
    const [request] = await receiver.received(1);
    expect(request?.headers).toMatchObject({ 'x-optio-event': 'task.completed', 'x-optio-event-id': id });
    const body = JSON.parse(request?.body ?? '');
    expect(body).toEqual({
      event: 'task.completed',
      timestamp: '2026-03-01T10:00:00.125Z',
      data,
      organization_id: organizationId,
    });
    expect(Object.keys(body)).toEqual(['event', 'timestamp', 'data', 'organization_id']);
    await receiver.close();
  });

  it('is part of the caller’s transaction: rolled back with it, there is no event', async () => {
    await platform.query('BEGIN');
    await emit('task.completed', data);
    await platform.query('ROLLBACK');
    expect(await events()).toEqual([]);
  });

  it.each(EVENT_TYPES.map((type) => [type.name, type.example] as const))(
    'takes the example of %s',
    async (name, example) => {
      const id = await emit(name, example);
      expect(await events()).toEqual([{ id, type: name }]);
    },
  );

  it('keeps fields that the catalogue does not know', async () => {
    await emit('task.completed', { ...data, colour: 'blue', more: [1, { a: null }] });
    const [row] = await world.query('SELECT body FROM events WHERE organization_id = $1', [organizationId]);
    expect(JSON.parse(String(row?.['body'])).data).toEqual({
      ...data,
      colour: 'blue',
      more: [1, { a: null }],
    });
  });

  it('answers the first event for the same key and the same event, and refuses another one (rule 2)', async () => {
    const first = await emit('task.completed', data, { key: 'once' });
    expect(await emit('task.completed', data, { key: 'once' })).toBe(first);
    await expect(emit('task.completed', { ...data, xp_awarded: 1 }, { key: 'once' })).rejects.toMatchObject({
      code: 'OC409',
    });
    expect(await events()).toHaveLength(1);
  });
});

describe('what optio.emit_event refuses, and stores nothing of (webhooks rule 3)', () => {
  it.each<readonly [string, string | null, unknown, string | undefined]>([
    ['an unknown type', 'task.eaten', data, undefined],
    ['no type', null, data, undefined],
    ['no data', 'task.completed', undefined, undefined],
    ['data that are no object', 'task.completed', [1], 'data: expected object, not array'],
    [
      'a missing field',
      'badge.earned',
      { user_id: 'u', badge_id: 'b', badge_name: 'n' },
      'data.earned_at: is missing',
    ],
    [
      'null for a field',
      'task.completed',
      { ...data, user_id: null },
      'data.user_id: expected string, not null',
    ],
    [
      'an empty id',
      'task.completed',
      { ...data, user_id: '' },
      'data.user_id: expected 1 to 200 characters, not 0',
    ],
    [
      'an id that is a number',
      'task.completed',
      { ...data, user_id: 7 },
      'data.user_id: expected string, not number',
    ],
    [
      'half a point',
      'task.completed',
      { ...data, xp_awarded: 0.5 },
      'data.xp_awarded: expected integer, not number',
    ],
    [
      'fewer than no points',
      'task.completed',
      { ...data, xp_awarded: -1 },
      'data.xp_awarded: expected 0 to 9007199254740991',
    ],
    [
      'an unknown pillar',
      'task.completed',
      { ...data, pillar: 'sport' },
      'data.pillar: expected one of ["stem", "arts", "civics", "communication", "wellness"]',
    ],
    [
      'a time that is none',
      'task.completed',
      { ...data, completed_at: 'yesterday' },
      'data.completed_at: expected date-time',
    ],
  ])('%s (webhooks rules 3, 6)', async (_, type, value, detail) => {
    await expect(emit(type, value)).rejects.toMatchObject({ code: 'OC422', detail });
    expect(await events()).toEqual([]);
  });

  it('names every fault', async () => {
    await expect(emit('badge.earned', { badge_name: 7 })).rejects.toMatchObject({
      detail: [
        'data.user_id: is missing',
        'data.badge_id: is missing',
        'data.earned_at: is missing',
        'data.badge_name: expected string, not number',
      ].join('\n'),
    });
  });

  it('an organization that is not there, a key that is none, more than 256 KiB', async () => {
    await expect(emit('task.completed', data, { organization: newId() })).rejects.toMatchObject({
      code: 'OC404',
    });
    await expect(emit('task.completed', data, { key: '' })).rejects.toMatchObject({ code: 'OC422' });
    await expect(emit('task.completed', { ...data, more: 'x'.repeat(262_144) })).rejects.toMatchObject({
      code: 'OC422',
    });
  });
});

describe('the role optio_emitter', () => {
  it.each([
    'SELECT * FROM events',
    'SELECT * FROM webhook_subscriptions',
    'SELECT * FROM deliveries',
    "INSERT INTO optio.event_types VALUES ('x', 1, '{}')",
    "SELECT optio.emit_events(NULL, '{}', '{}', '{}', '{}', '{}', '{}')",
    'SELECT optio.ensure_partitions()',
  ])('may not: %s', async (sql) => {
    await expect(platform.query(sql)).rejects.toMatchObject({ code: '42501' });
  });

  it('is what it takes: the logins of the server may not emit this way', async () => {
    await expect(
      world.workerPool.query('SELECT optio.emit_event($1, $2, $3)', [organizationId, 'task.completed', data]),
    ).rejects.toMatchObject({ code: '42501' });
  });
});

describe('the catalogue in the database', () => {
  it('is what the program knows, and an older program does not take a newer version back', async () => {
    const owner = createPool({
      url: world.database.ownerUrl,
      maxConnections: 1,
      onIdleError: () => undefined,
    });
    await owner.query("UPDATE optio.event_types SET version = 2 WHERE name = 'badge.earned'");
    await owner.query("UPDATE optio.event_types SET data_schema = '{}' WHERE name = 'task.completed'");
    await storeCatalog(owner);
    await owner.end();
    const rows = await world.query('SELECT name, version, data_schema FROM optio.event_types ORDER BY name');
    expect(rows.map((row) => row['name'])).toEqual(EVENT_TYPES.map(({ name }) => name as string).toSorted());
    expect(rows.find((row) => row['name'] === 'badge.earned')).toMatchObject({ version: 2 });
    expect(rows.find((row) => row['name'] === 'task.completed')).toMatchObject({
      data_schema: EVENT_TYPES.find(({ name }) => name === 'task.completed')?.jsonSchema,
    });
  });
});
