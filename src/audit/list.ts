/** Reading the audit log: for ADMINs who are signed in, and no token. */
import { requirePlatformAdmin } from '../accounts/platform-admin.ts';
import { authorize, type RequestContext, type Viewer } from '../accounts/viewer.ts';
import type { AuditEntry } from '../generated/prisma/client.ts';
import { type Fault, validationError } from '../lib/errors.ts';
import { isUuid, lowestUuidAt } from '../lib/ids.ts';
import {
  type Count,
  MAX_COUNT,
  type Page,
  type PageRequest,
  pageQuery,
  toCount,
  toPage,
} from '../lib/page.ts';
import { isAuditAction } from './action.ts';
import { PLATFORM } from './entry.ts';

export const MAY_SEE_AUDIT_LOG = { scope: null, roles: ['ADMIN'] } as const;

export type AuditFilter = {
  /** Any of these actions of the catalogue. */
  readonly actions?: readonly string[] | undefined;
  /** The id of a user, or the client_id of a client. */
  readonly actorId?: string | undefined;
  readonly targetId?: string | undefined;
  /** Recorded at this time or later. */
  readonly since?: Date | undefined;
  /** Recorded before this time. */
  readonly until?: Date | undefined;
};

/** The log of the viewer's organization, newest first. Errors: `FORBIDDEN`; `VALIDATION` for an action that is none. */
export async function listEntries(
  context: RequestContext,
  filter: AuditFilter,
  page: PageRequest,
): Promise<Page<AuditEntry>> {
  authorize(context.viewer, MAY_SEE_AUDIT_LOG);
  const { id, take, order } = pageQuery(page);
  const where = { AND: [{ id }, conditions(context.viewer.organizationId, filter)] };
  const rows = await context.read((tx) => tx.auditEntry.findMany({ where, orderBy: { id: order }, take }));
  return toPage(rows, page);
}

/** How many entries `listEntries` would list. */
export async function countEntries(context: RequestContext, filter: AuditFilter): Promise<Count> {
  authorize(context.viewer, MAY_SEE_AUDIT_LOG);
  const where = conditions(context.viewer.organizationId, filter);
  return toCount(await context.read((tx) => tx.auditEntry.count({ where, take: MAX_COUNT + 1 })));
}

/** One entry of the log of the viewer's organization; null when there is none. */
export async function findEntry(context: RequestContext, id: string): Promise<AuditEntry | null> {
  authorize(context.viewer, MAY_SEE_AUDIT_LOG);
  if (!isUuid(id)) return null;
  const key = { organizationId: context.viewer.organizationId, id };
  return context.read((tx) => tx.auditEntry.findUnique({ where: { organizationId_id: key } }));
}

/**
 * The viewer as an ADMIN of the platform's own log, which belongs to no organization.
 * Errors: `FORBIDDEN` unless it is an admin of the platform who has signed in.
 */
export function platformViewer(viewer: Viewer): Viewer {
  requirePlatformAdmin(viewer);
  return { ...viewer, organizationId: PLATFORM, role: 'ADMIN' };
}

function conditions(organizationId: string, { actions, actorId, targetId, since, until }: AuditFilter) {
  requireActions(actions);
  return {
    organizationId,
    ...(actions === undefined ? {} : { action: { in: [...actions] } }),
    ...(actorId === undefined ? {} : { actorId }),
    ...(targetId === undefined ? {} : { targetId }),
    // The id holds the time.
    id: {
      ...(since === undefined ? {} : { gte: lowestUuidAt(since) }),
      ...(until === undefined ? {} : { lt: lowestUuidAt(until) }),
    },
  };
}

function requireActions(actions: readonly string[] | undefined): void {
  const faults = actions?.flatMap((action, index): Fault[] => {
    if (isAuditAction(action)) return [];
    const message = `There is no action ${JSON.stringify(action.slice(0, 200))}.`;
    return [{ path: ['actions', index], message }];
  });
  if (faults !== undefined && faults.length > 0) throw validationError(faults);
}
