/** For how long an organization keeps its history: as long as the server, or shorter (webhooks rule 40, docs/adr/0050). */
import { difference } from '../audit/difference.ts';
import { record } from '../audit/record.ts';
import type { Organization } from '../generated/prisma/client.ts';
import type { Clock } from '../lib/clock.ts';
import { AppError, type Fault, validationError } from '../lib/errors.ts';
import { getOrganization } from './directory.ts';
import { authorize, type RequestContext } from './viewer.ts';

/** By admins who are signed in, and by no token. */
export const MAY_CHANGE_SETTINGS = { scope: null, roles: ['ADMIN'] } as const;

/** What the server's settings allow, in days. */
export type RetentionLimits = {
  /** Events, deliveries and attempts. */
  readonly days: number;
  /** What they say; undefined: as long as the rows. */
  readonly bodyDays?: number | undefined;
};

export type Retention = {
  /** What the organization chose, in days; null: what the server does. */
  readonly days: number | null;
  readonly bodyDays: number | null;
  /** What the server allows. */
  readonly serverDays: number;
  readonly serverBodyDays: number;
  /** What comes of both. */
  readonly effectiveDays: number;
  readonly effectiveBodyDays: number;
  /** Of the organization's settings. */
  readonly version: number;
};

export type RetentionChange = {
  /** Null: what the server does; left out: as it is. */
  readonly days?: number | null | undefined;
  readonly bodyDays?: number | null | undefined;
  readonly expectedVersion?: number | undefined;
};

type Change = Pick<RequestContext, 'viewer' | 'source' | 'read' | 'write'> & { readonly clock: Clock };

// As the server's own settings; the update log may be kept for a week.
const MIN_DAYS = 7;
const MIN_BODY_DAYS = 1;

/** What is kept for how long in the viewer's organization. */
export async function getRetention(context: RequestContext, limits: RetentionLimits): Promise<Retention> {
  authorize(context.viewer, MAY_CHANGE_SETTINGS);
  return toRetention(await getOrganization(context), limits);
}

/**
 * Keeps history for so long from now on; what is older by then goes within the hour, in pieces, and does not come back.
 * Errors: `FORBIDDEN`; `VALIDATION` (paths `days`, `body_days`) that names the server's limit; `CONFLICT` when the
 * organization has another version by now.
 */
export async function changeRetention(
  context: Change,
  limits: RetentionLimits,
  change: RetentionChange,
): Promise<Retention> {
  authorize(context.viewer, MAY_CHANGE_SETTINGS);
  requireWithin(limits, change);
  return context.write(async ({ tx }) => {
    const where = { id: context.viewer.organizationId };
    // Locked, so that the log tells of each change what was there before.
    await tx.$queryRaw`SELECT FROM organizations WHERE id = ${where.id}::uuid FOR UPDATE`;
    const organization = await tx.organization.findUniqueOrThrow({ where });
    requireVersion(organization, change.expectedVersion);
    const { days = organization.retentionDays, bodyDays = organization.bodyRetentionDays } = change;
    const changes = difference(
      { days: organization.retentionDays, body_days: organization.bodyRetentionDays },
      { days, body_days: bodyDays },
    );
    if (Object.keys(changes).length === 0) return toRetention(organization, limits);
    await record(tx, context, context.clock.now(), {
      action: 'organization.retention_changed',
      target: { type: 'Organization', id: organization.id, label: organization.name },
      changes,
    });
    const data = { retentionDays: days, bodyRetentionDays: bodyDays, version: { increment: 1 } };
    return toRetention(await tx.organization.update({ where, data }), limits);
  });
}

function toRetention(organization: Organization, limits: RetentionLimits): Retention {
  const { retentionDays: days, bodyRetentionDays: bodyDays, version } = organization;
  const serverBodyDays = bodyLimit(limits);
  const effectiveDays = Math.min(days ?? limits.days, limits.days);
  return {
    days,
    bodyDays,
    serverDays: limits.days,
    serverBodyDays,
    effectiveDays,
    // The rows take along what they say.
    effectiveBodyDays: Math.min(bodyDays ?? serverBodyDays, serverBodyDays, effectiveDays),
    version,
  };
}

function bodyLimit({ days, bodyDays = days }: RetentionLimits): number {
  return Math.min(bodyDays, days);
}

function requireWithin(limits: RetentionLimits, { days, bodyDays }: RetentionChange): void {
  const faults = [
    ...faultsOf('days', days, MIN_DAYS, limits.days),
    ...faultsOf('body_days', bodyDays, MIN_BODY_DAYS, bodyLimit(limits)),
  ];
  if (faults.length > 0) throw validationError(faults);
}

function faultsOf(
  path: string,
  days: number | null | undefined,
  least: number,
  most: number,
): readonly Fault[] {
  if (days === null || days === undefined) return [];
  if (Number.isInteger(days) && days >= least && days <= most) return [];
  const message = `Expected a whole number of days from ${least} to ${most}: this server keeps it for ${most} days, and an organization may choose fewer.`;
  return [{ path: [path], message }];
}

function requireVersion({ id, version }: Organization, expected: number | undefined): void {
  if (expected === undefined || expected === version) return;
  throw new AppError(
    'CONFLICT',
    `The settings of the organization have been changed; they have version ${version} by now.`,
    { currentVersion: version, current: { type: 'Organization', id } },
  );
}
