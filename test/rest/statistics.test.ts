import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, NORTH, startServer, type TestServer } from './support.ts';

const PATH = '/api/webhooks/statistics';
const SUBSCRIPTION = '019a0000-0000-7000-8000-0000000000c1';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  await server.sql(
    `INSERT INTO delivery_statistics_deltas (organization_id, minute, subscription_id, event_type, ended, reason, bin, count)
     SELECT $1, minute::timestamptz, $2, 'badge.earned', ended, reason, bin, count FROM (VALUES
       ('2026-11-23T09:10:00Z', 'SUCCEEDED', NULL, NULL::int, 3), ('2026-11-23T09:10:00Z', NULL, NULL, 40, 3),
       ('2026-11-23T08:59:00Z', 'FAILED', NULL, NULL, 1), ('2026-11-23T08:59:00Z', NULL, 'connect', NULL, 2)
     ) AS v (minute, ended, reason, bin, count)`,
    [NORTH, SUBSCRIPTION],
  );
});
afterAll(() => server.close());

const ask = (search = '', token = 'north-reader') => call(server, `GET ${PATH}${search}`, { token });

describe('GET /api/webhooks/statistics', () => {
  it('tells the last day by the hour, if nothing else is said (rule 41)', async () => {
    const latency = { p50: 31.6, p95: 32, p99: expect.closeTo(32, 0) };
    const good = { succeeded: 3, failed: 0, success_rate: 1, attempts: 3, failed_attempts: 0, failures: {} };
    const bad = { succeeded: 0, failed: 1, success_rate: 0, attempts: 2, failed_attempts: 2 };
    const total = {
      succeeded: 3,
      failed: 1,
      success_rate: 0.75,
      attempts: 5,
      failed_attempts: 2,
      failures: { connect: 2 },
      latency_ms: { ...latency, p50: expect.any(Number), p95: expect.any(Number) },
    };
    expect(await ask()).toMatchObject({
      status: 200,
      body: {
        since: '2026-11-22T09:00:00.000Z',
        until: '2026-11-23T10:00:00.000Z',
        bucket: 'hour',
        total,
        series: [
          {
            subscription_id: null,
            event_type: null,
            total,
            points: [
              { ...bad, starts_at: '2026-11-23T08:00:00.000Z', failures: { connect: 2 }, latency_ms: null },
              { ...good, starts_at: '2026-11-23T09:00:00.000Z' },
            ],
          },
        ],
      },
    });
  });

  it('tells apart and filters (rule 41)', async () => {
    const both = await ask(`?group_by=subscription,event_type&bucket=minute&since=2026-11-23T09:00:00Z`);
    const series = [{ subscription_id: SUBSCRIPTION, event_type: 'badge.earned', total: { succeeded: 3 } }];
    expect(both).toMatchObject({ status: 200, body: { bucket: 'minute', series } });
    const none = await ask(`?subscription_id=${SUBSCRIPTION}&event_type=quest.completed`);
    expect(none).toMatchObject({ status: 200, body: { series: [], total: { success_rate: null } } });
  });

  it.each([
    ['bucket=week', 'bucket'],
    ['group_by=status', 'group_by.0'],
    ['bucket=minute&since=2026-11-01T00:00:00Z', 'since'],
    ['since=2026-11-23T09:00:00Z&until=2026-11-23T08:00:00Z', 'until'],
    ['since=2020-01-01T00:00:00Z', 'since'],
  ])('refuses ?%s with 422, naming %s (rule 41)', async (search, path) => {
    expect(await ask(`?${search}`)).toMatchObject({ status: 422, body: { errors: [{ path }] } });
  });

  it('needs read:webhooks, and shows nothing of another organization (rule 41)', async () => {
    expect(await ask('', 'north-emitter')).toMatchObject({ status: 403 });
    expect(await ask('', 'north-student')).toMatchObject({ status: 403 });
    expect(await ask('', 'south')).toMatchObject({ status: 200, body: { series: [] } });
  });
});
