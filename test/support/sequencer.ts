import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The longest, longest first: two workers that have them at the end would not end together. */
const LONGEST = [
  'flows/start',
  'browser/docs',
  'flows/database-away',
  'flows/people',
  'flows/stop',
  'flows/workers',
  'flows/crash',
  'faults/trial',
  'browser/sign-in',
  'platform/embedded-postgres/crash',
  'faults/live',
  'flows/metrics',
  'flows/demo',
  'browser/authorize',
  'webhooks/lanes',
  'accounts/people-pages',
  'platform/migrate/db-diff',
  'graphql/who-may',
  'webhooks/mover',
  'flows/secrets',
  'platform/embedded-postgres/start',
  'flows/tracing',
  'oauth/concurrency',
  'webhooks/limits',
  'faults/worker-dies',
  'browser/people',
  'platform/database/partitions',
  'platform/reseal',
  'learning/xp',
].map((name) => `/test/${name}.test.ts`);

/** Known before the first run, as on a machine that has just cloned; the others as Vitest has them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const inUsualOrder = super.sort.bind(this);
    return (await inUsualOrder(files)).toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}

function placeOf({ moduleId }: TestSpecification): number {
  const place = LONGEST.findIndex((name) => moduleId.endsWith(name));
  return place === -1 ? LONGEST.length : place;
}
