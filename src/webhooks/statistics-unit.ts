/** The units of time that statistics are kept in, and for how long each. */
import type { Fault } from '../lib/errors.ts';

export type StatisticsUnit = 'minute' | 'hour' | 'day';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The shortest first. All begin in UTC. */
export const UNITS = {
  minute: { ms: MINUTE_MS, keptDays: 2 },
  hour: { ms: HOUR_MS, keptDays: 100 },
  day: { ms: DAY_MS, keptDays: 1_100 },
} as const satisfies Record<StatisticsUnit, { readonly ms: number; readonly keptDays: number }>;

export const UNIT_NAMES = ['minute', 'hour', 'day'] as const;

/** As many buckets as one answer may have: two months of hours, a day of minutes. */
export const MAX_BUCKETS = 1_500;
const BUCKETS_AS_FIT = 400;

export type Span = { readonly since: Date; readonly until: Date };

/** Since when a unit is kept. */
export function keptSince(unit: StatisticsUnit, now: Date): Date {
  return startOf(unit, new Date(now.getTime() - UNITS[unit].keptDays * DAY_MS));
}

/** The beginning of the bucket that the time lies in. */
export function startOf(unit: StatisticsUnit, time: Date): Date {
  const { ms } = UNITS[unit];
  return new Date(Math.floor(time.getTime() / ms) * ms);
}

/** The unit in which a chart of this span is neither coarse nor crowded, of those that are kept as long. */
export function fittingUnit(span: Span, now: Date): StatisticsUnit {
  const fitting = UNIT_NAMES.find(
    (unit) => bucketCount(unit, span) <= BUCKETS_AS_FIT && keptSince(unit, now) <= span.since,
  );
  return fitting ?? 'day';
}

/** What is wrong with asking for this span in this unit. */
export function spanFaults(unit: StatisticsUnit, span: Span, now: Date): readonly Fault[] {
  if (span.since >= span.until)
    return [{ path: ['until'], message: 'Expected a time after the beginning (since).' }];
  if (span.since < keptSince(unit, now)) {
    const message = `Statistics by ${unit} are kept for ${UNITS[unit].keptDays} days.`;
    return [{ path: ['since'], message: `${message} Ask for a later beginning, or a larger unit.` }];
  }
  const count = bucketCount(unit, span);
  if (count <= MAX_BUCKETS) return [];
  const message = `Expected at most ${MAX_BUCKETS} buckets, not ${count}: ask for a shorter span, or a larger unit.`;
  return [{ path: ['bucket'], message }];
}

function bucketCount(unit: StatisticsUnit, { since, until }: Span): number {
  return Math.ceil((until.getTime() - startOf(unit, since).getTime()) / UNITS[unit].ms);
}
