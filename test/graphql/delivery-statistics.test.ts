/** Statistics in GraphQL; what they count is tested beside the feature. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import { graphql } from '../generated/gql/index.ts';
import { execute, read, seedDelivery, startServer, type TestServer } from './support.ts';
import { NORTH } from './viewers.ts';

const STATISTICS = graphql(`
  query Statistics($filter: DeliveryStatisticsFilter, $bucket: StatisticsBucket, $groupBy: [StatisticsDimension!]) {
    organization {
      deliveryStatistics(filter: $filter, bucket: $bucket, groupBy: $groupBy) {
        since until bucket
        total {
          succeeded failed successRate attempts failedAttempts
          failures { reason count }
          latency { p50Ms p95Ms p99Ms }
        }
        series {
          subscription { id }
          eventType
          total { attempts }
          points { startsAt figures { succeeded failed successRate latency { p50Ms } } }
        }
      }
    }
  }
`);

let server: TestServer;
let subscriptionId: string;

beforeAll(async () => {
  server = await startServer();
  ({ subscriptionId } = await seedDelivery(server, NORTH));
  await server.sql(
    `INSERT INTO delivery_statistics_deltas (organization_id, minute, subscription_id, event_type, ended, reason, bin, count)
     SELECT $1, minute::timestamptz, $2, 'badge.earned', ended, reason, bin, count FROM (VALUES
       ('2026-11-23T09:10:00Z', 'SUCCEEDED', NULL, NULL::int, 3), ('2026-11-23T09:10:00Z', NULL, NULL, 40, 3),
       ('2026-11-23T08:59:00Z', 'FAILED', NULL, NULL, 1), ('2026-11-23T08:58:00Z', NULL, 'timeout', 107, 2)
     ) AS v (minute, ended, reason, bin, count)`,
    [NORTH, subscriptionId],
  );
});
afterAll(() => server.close());

describe('deliveryStatistics', () => {
  test('tells the last day by the hour, if nothing else is said (rule 41)', async () => {
    const { organization } = await read(server, 'north-reader', STATISTICS);
    expect(organization?.deliveryStatistics).toEqual({
      since: '2026-11-22T09:00:00.000Z',
      until: '2026-11-23T10:00:00.000Z',
      bucket: 'HOUR',
      total: {
        succeeded: 3,
        failed: 1,
        successRate: 0.75,
        attempts: 5,
        failedAttempts: 2,
        failures: [{ reason: 'TIMEOUT', count: 2 }],
        latency: { p50Ms: 31.6, p95Ms: 10_513.5, p99Ms: 10_601.7 },
      },
      series: [
        {
          subscription: null,
          eventType: null,
          total: { attempts: 5 },
          points: [
            {
              startsAt: '2026-11-23T08:00:00.000Z',
              figures: { succeeded: 0, failed: 1, successRate: 0, latency: { p50Ms: expect.any(Number) } },
            },
            {
              startsAt: '2026-11-23T09:00:00.000Z',
              figures: { succeeded: 3, failed: 0, successRate: 1, latency: { p50Ms: expect.any(Number) } },
            },
          ],
        },
      ],
    });
  });

  test('tells apart and filters (rule 41)', async () => {
    const { organization } = await read(server, 'north', STATISTICS, {
      filter: {
        subscriptionId: globalId('WebhookSubscription', subscriptionId),
        since: '2026-11-23T09:00:00Z',
      },
      bucket: 'MINUTE',
      groupBy: ['SUBSCRIPTION', 'EVENT_TYPE'],
    });
    expect(organization?.deliveryStatistics.series).toMatchObject([
      {
        subscription: { id: globalId('WebhookSubscription', subscriptionId) },
        eventType: 'badge.earned',
        points: [{ startsAt: '2026-11-23T09:10:00.000Z' }],
      },
    ]);
  });

  test('names the argument that does not fit (rule 41)', async () => {
    const { errors } = await execute(server, 'north', STATISTICS, {
      filter: { since: '2026-11-01T00:00:00Z' },
      bucket: 'MINUTE',
    });
    expect(errors).toMatchObject([
      { extensions: { code: 'BAD_USER_INPUT', faults: [{ path: ['filter', 'since'] }] } },
    ]);
  });

  test('is for admins, and needs read:webhooks (rule 41)', async () => {
    const { errors } = await execute(server, 'north-emitter', STATISTICS);
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN', requiredScope: 'read:webhooks' } }]);
    const { errors: ofStudent } = await execute(server, 'north-student', STATISTICS);
    expect(ofStudent).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    const { organization } = await read(server, 'south', STATISTICS);
    expect(organization?.deliveryStatistics.series).toEqual([]);
  });
});
