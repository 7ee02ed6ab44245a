/** Statistics of deliveries: volume, success, latency, failures by reason, over time (webhooks rule 41). */
import { authorize } from '../accounts/viewer.ts';
import { type Fault, validationError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';
import { MAY_READ, type WebhookContext } from './context.ts';
import { type Figures, sumOf } from './statistics-figures.ts';
import { type StatisticsRow, selectStatistics } from './statistics-sql.ts';
import { fittingUnit, type StatisticsUnit, spanFaults, startOf, UNITS } from './statistics-unit.ts';

export type StatisticsDimension = 'subscription' | 'event_type';

export type StatisticsQuestion = {
  /** Rounded down to the beginning of its bucket; 24 hours before `until` if left out. */
  readonly since?: Date | undefined;
  /** Buckets that begin before it; the one under way is the last, if left out. */
  readonly until?: Date | undefined;
  /** As fits the span, if left out. */
  readonly bucket?: StatisticsUnit | undefined;
  readonly subscriptionId?: string | undefined;
  readonly eventType?: string | undefined;
  readonly groupBy?: readonly StatisticsDimension[] | undefined;
};

export type Statistics = {
  readonly since: Date;
  readonly until: Date;
  readonly bucket: StatisticsUnit;
  readonly total: Figures;
  /** The largest first; one at most unless they are grouped. */
  readonly series: readonly Series[];
};

export type Series = {
  /** Null: of all. */
  readonly subscriptionId: string | null;
  /** Null: of all. */
  readonly eventType: string | null;
  readonly total: Figures;
  /** In order of time. Buckets in which nothing happened are left out. */
  readonly points: readonly Point[];
};

export type Point = { readonly startsAt: Date; readonly figures: Figures };

const DAY_MS = 86_400_000;
/** What is read for one answer. */
const MAX_ROWS = 20_000;

/** Throws `VALIDATION` for a span that is not kept in that unit, and for an answer that would be too large. */
export async function readStatistics(
  context: WebhookContext,
  question: StatisticsQuestion,
): Promise<Statistics> {
  authorize(context.viewer, MAY_READ);
  const bounds = boundsOf(question, context.clock.now());
  const series = toSeries(await readRows(context, { ...question, ...bounds }), question);
  return { ...bounds, series, total: sumOf(series.map(({ total }) => total)) };
}

function boundsOf(question: StatisticsQuestion, now: Date): Bounds {
  const end = question.until ?? now;
  const asked = question.since ?? new Date(end.getTime() - DAY_MS);
  const bucket = question.bucket ?? fittingUnit({ since: asked, until: end }, now);
  const until = question.until ?? new Date(startOf(bucket, now).getTime() + UNITS[bucket].ms);
  const faults = spanFaults(bucket, { since: asked, until }, now);
  if (faults.length > 0) throw validationError(faults);
  return { since: startOf(bucket, asked), until, bucket };
}

type Bounds = { readonly since: Date; readonly until: Date; readonly bucket: StatisticsUnit };

async function readRows(
  context: WebhookContext,
  { subscriptionId, eventType, groupBy = [], since, until, bucket }: StatisticsQuestion & Bounds,
): Promise<readonly StatisticsRow[]> {
  if (subscriptionId !== undefined && !isUuid(subscriptionId)) return [];
  const { organizationId } = context.viewer;
  const bySubscription = groupBy.includes('subscription');
  const byEventType = groupBy.includes('event_type');
  const filter = { subscriptionId, eventType, bySubscription, byEventType };
  const selection = { organizationId, unit: bucket, since, until, ...filter, limit: MAX_ROWS + 1 };
  const rows = await context.read((tx) => tx.$queryRaw<StatisticsRow[]>`${selectStatistics(selection)}`);
  if (rows.length > MAX_ROWS) throw validationError([TOO_MUCH]);
  return rows;
}

const TOO_MUCH: Fault = {
  path: ['group_by'],
  message: 'That is too much for one answer: ask for a shorter span, a larger bucket, or fewer groups.',
};

/** Both what is grouped by and what is filtered by is told. */
function toSeries(
  rows: readonly StatisticsRow[],
  { groupBy = [], subscriptionId, eventType }: StatisticsQuestion,
): readonly Series[] {
  const names = {
    subscription: groupBy.includes('subscription') || subscriptionId !== undefined,
    eventType: groupBy.includes('event_type') || eventType !== undefined,
  };
  const bySeries = Map.groupBy(rows, (row) => `${row.subscriptionId} ${row.eventType}`);
  return [...bySeries.values()]
    .flatMap((own) => {
      const [first] = own;
      if (first === undefined) return [];
      const points = toPoints(own);
      return {
        subscriptionId: names.subscription ? first.subscriptionId : null,
        eventType: names.eventType ? first.eventType : null,
        total: sumOf(points.map(({ figures }) => figures)),
        points,
      };
    })
    .toSorted((a, b) => b.total.attempts - a.total.attempts);
}

function toPoints(rows: readonly StatisticsRow[]): readonly Point[] {
  const byTime = Map.groupBy(rows, ({ startsAt }) => startsAt.getTime());
  return [...byTime]
    .toSorted(([a], [b]) => a - b)
    .map(([time, own]) => ({ startsAt: new Date(time), figures: sumOf(own.map(toFigures)) }));
}

function toFigures(row: StatisticsRow): Figures {
  return {
    succeeded: row.succeeded,
    failed: row.failed,
    attempts: row.attempts,
    failures: Object.entries(row.failures).map(([reason, count]) => ({ reason, count })),
    latencies: new Map(Object.entries(row.latencies).map(([bin, count]) => [Number(bin), count])),
  };
}
