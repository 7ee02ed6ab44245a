/** Statistics of deliveries, over time. */
import type { FailureKind } from '../../webhooks/outcome.ts';
import { readStatistics, type Series, type Statistics } from '../../webhooks/statistics.ts';
import {
  type Failure,
  type Figures,
  failedAttemptsOf,
  type Latency,
  latencyOf,
  successRateOf,
} from '../../webhooks/statistics-figures.ts';
import type { Builder } from '../builder.ts';
import { localId } from '../global-id.ts';
import { type FaultPath, given, inWordsOfInput } from '../mutation.ts';
import { type AttemptErrorKindRef, toErrorKind } from './delivery-attempt.ts';

/** Registers Organization.deliveryStatistics. */
export function addDeliveryStatistics(builder: Builder, errorKind: AttemptErrorKindRef): void {
  const figures = addFigures(builder, errorKind);
  const bucket = builder.enumType('StatisticsBucket', {
    description: 'A unit of time that statistics are told by; it begins in UTC.',
    values: {
      MINUTE: { value: 'minute', description: 'Kept for 2 days.' },
      HOUR: { value: 'hour', description: 'Kept for 100 days.' },
      DAY: { value: 'day', description: 'Kept for three years.' },
    } as const,
  });
  const dimension = builder.enumType('StatisticsDimension', {
    description: 'What statistics are told apart by.',
    values: {
      SUBSCRIPTION: { value: 'subscription', description: 'The webhook subscription.' },
      EVENT_TYPE: { value: 'event_type', description: 'The event type.' },
    } as const,
  });
  const statistics = addStatistics(builder, { bucket, series: addSeries(builder, figures), figures });
  const filter = builder.inputType('DeliveryStatisticsFilter', {
    description: 'What is counted. All conditions have to hold.',
    fields: (t) => ({
      since: t.field({
        type: 'DateTime',
        description:
          'What happened at this time or later, rounded down to the beginning of its bucket; 24 hours before `until` if left out.',
      }),
      until: t.field({
        type: 'DateTime',
        description: 'Buckets that begin before this time; up to the one under way if left out.',
      }),
      subscriptionId: t.id({ description: 'Deliveries to this webhook subscription, deleted or not.' }),
      eventType: t.string({ description: 'Deliveries of events of this type.' }),
    }),
  });
  builder.objectFields('Organization', (t) => ({
    deliveryStatistics: t.field({
      description: 'How its deliveries went, over time. Exact up to the last one that settled.',
      type: statistics,
      args: {
        filter: t.arg({ type: filter, description: 'What is counted.' }),
        bucket: t.arg({ type: bucket, description: 'By which unit of time; as fits the span if left out.' }),
        groupBy: t.arg({ type: [dimension], description: 'What is told apart; nothing if left out.' }),
      },
      resolve: (_organization, args, { features }) => {
        const id = given(args.filter?.subscriptionId);
        const question = {
          since: given(args.filter?.since),
          until: given(args.filter?.until),
          eventType: given(args.filter?.eventType),
          subscriptionId: id === undefined ? undefined : localId('WebhookSubscription', id),
          bucket: given(args.bucket),
          groupBy: given(args.groupBy),
        };
        return inWordsOfInput(() => readStatistics(features().context, question), ARGUMENT_PATH);
      },
    }),
  }));
}

const ARGUMENT_PATH: FaultPath = ([name]) =>
  name === 'since' || name === 'until' ? ['filter', name] : [name === 'group_by' ? 'groupBy' : 'bucket'];

function addStatistics(
  builder: Builder,
  {
    bucket,
    series,
    figures,
  }: {
    bucket: PothosSchemaTypes.EnumRef<never, 'minute' | 'hour' | 'day'>;
    series: ReturnType<typeof addSeries>;
    figures: ReturnType<typeof addFigures>;
  },
) {
  return builder.objectRef<Statistics>('DeliveryStatistics').implement({
    description: 'How deliveries went.',
    fields: (t) => ({
      since: t.expose('since', { type: 'DateTime', description: 'The beginning of the first bucket.' }),
      until: t.expose('until', { type: 'DateTime', description: 'The end.' }),
      bucket: t.expose('bucket', { type: bucket, description: 'The unit of time.' }),
      total: t.expose('total', { type: figures, description: 'All of it together.' }),
      series: t.field({
        type: [series],
        description: 'One for each group in which something happened, the busiest first.',
        resolve: (statistics) => [...statistics.series],
      }),
    }),
  });
}

function addSeries(builder: Builder, figures: ReturnType<typeof addFigures>) {
  const point = builder.objectRef<Series['points'][number]>('DeliveryStatisticsPoint').implement({
    description: 'What happened in a bucket.',
    fields: (t) => ({
      startsAt: t.expose('startsAt', { type: 'DateTime', description: 'When the bucket begins.' }),
      figures: t.expose('figures', { type: figures, description: 'What happened in it.' }),
    }),
  });
  return builder.objectRef<Series>('DeliveryStatisticsSeries').implement({
    description: 'A group over time.',
    fields: (t) => ({
      subscription: t.field({
        type: 'WebhookSubscription',
        nullable: true,
        description: 'Whose deliveries, even if it was deleted meanwhile; null where they are told together.',
        resolve: async ({ subscriptionId }, _args, { features }) =>
          subscriptionId === null ? null : ((await features().loaders.subscription(subscriptionId)) ?? null),
      }),
      eventType: t.exposeString('eventType', {
        nullable: true,
        description: 'Of which event type; null where all are told together.',
      }),
      total: t.expose('total', { type: figures, description: 'The whole span together.' }),
      points: t.field({
        type: [point],
        description: 'Its buckets in order of time. Those in which nothing happened are left out.',
        resolve: ({ points }) => [...points],
      }),
    }),
  });
}

function addFigures(builder: Builder, errorKind: AttemptErrorKindRef) {
  const failure = builder.objectRef<Failure>('AttemptFailures').implement({
    description: 'Attempts that failed for one reason.',
    fields: (t) => ({
      reason: t.field({
        type: errorKind,
        description: 'Why they failed.',
        resolve: ({ reason }): FailureKind => toErrorKind(reason),
      }),
      count: t.exposeInt('count', { description: 'How many.' }),
    }),
  });
  const latency = builder.objectRef<Latency>('LatencyPercentiles').implement({
    description: 'How long attempts took, in milliseconds, within 9 %.',
    fields: (t) => ({
      p50Ms: t.exposeFloat('p50Ms', { description: 'Half of them took no longer.' }),
      p95Ms: t.exposeFloat('p95Ms', { description: '95 of 100 took no longer.' }),
      p99Ms: t.exposeFloat('p99Ms', { description: '99 of 100 took no longer.' }),
    }),
  });
  return builder.objectRef<Figures>('DeliveryFigures').implement({
    description:
      'What happened in a span of time. Deliveries count when they ended, attempts when they began.',
    fields: (t) => ({
      succeeded: t.exposeInt('succeeded', { description: 'Deliveries that succeeded.' }),
      failed: t.exposeInt('failed', {
        description:
          'Deliveries that failed for good. One that is retried by hand counts when it ends again.',
      }),
      successRate: t.float({
        nullable: true,
        description: 'The share of the deliveries that ended which succeeded, 0 to 1; null if none ended.',
        resolve: successRateOf,
      }),
      attempts: t.exposeInt('attempts', { description: 'Attempts.' }),
      failedAttempts: t.int({ description: 'Attempts that failed.', resolve: failedAttemptsOf }),
      failures: t.field({
        type: [failure],
        description: 'Attempts that failed by reason, the most frequent first.',
        resolve: ({ failures }) => [...failures],
      }),
      latency: t.field({
        type: latency,
        nullable: true,
        description:
          'How long the attempts took that were answered or ran into the time limit; null if there were none.',
        resolve: latencyOf,
      }),
    }),
  });
}
