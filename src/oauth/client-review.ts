/**
 * Clients in the hands of the platform's admins: approved (all or fewer scopes), rejected with a reason, suspended and
 * resumed, of every organization. Runs in the authorization server's own name, whose role sees them all.
 */
import type { Pool, PoolClient } from 'pg';
import { requirePlatformAdmin } from '../accounts/platform-admin.ts';
import { holdsScope, isScope } from '../accounts/scope.ts';
import type { RequestContext } from '../accounts/viewer.ts';
import { recordOn } from '../audit/record.ts';
import type { Clock } from '../lib/clock.ts';
import { AppError, type Fault, unreachable, validationError } from '../lib/errors.ts';
import type { Count, Page, PageRequest } from '../lib/page.ts';
import { inTransaction } from '../platform/database/pool.ts';
import { translateDatabaseError } from '../platform/database/unavailable.ts';
import { actOfChange, type ClientAction } from './client-audit.ts';
import { parseReason } from './client-input.ts';
import {
  asPlatform,
  type ClientKey,
  type ClientRecord,
  countClients,
  findClient,
  readClients,
  requireClient,
  requireLockedClient,
} from './client-record.ts';
import { type ClientFilter, markSuspendedByPlatform, updateClientRow } from './client-record-statements.ts';

type Reviewer = Pick<RequestContext, 'viewer' | 'source'>;

export type ReviewDecision =
  /** `scopes`: fewer than what is asked for; all of it, if left out. */
  | { readonly decision: 'APPROVE'; readonly scopes?: readonly string[] | undefined }
  | { readonly decision: 'REJECT'; readonly reason: string }
  | { readonly decision: 'SUSPEND'; readonly reason: string }
  | { readonly decision: 'RESUME' };

/** Errors of each: `FORBIDDEN` unless the viewer is an admin of the platform who has signed in. */
export type ClientReviews = {
  readonly list: (reviewer: Reviewer, filter: ClientFilter, page: PageRequest) => Promise<Page<ClientRecord>>;
  readonly count: (reviewer: Reviewer, filter: ClientFilter) => Promise<Count>;
  /** Null when there is none. */
  readonly find: (reviewer: Reviewer, key: ClientKey) => Promise<ClientRecord | null>;
  /**
   * Decides about the client as it was when the reviewer saw it. Errors: `NOT_FOUND`; `VALIDATION`; `CONFLICT` when it has
   * another version by now, or is not in a state for this.
   */
  readonly decide: (
    reviewer: Reviewer,
    id: string,
    decision: ReviewDecision & { readonly expectedVersion: number },
  ) => Promise<ClientRecord>;
};

export type ClientReviewsDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly clock: Clock;
};

/** The reviews over a database. */
export function createClientReviews({ pool, clock }: ClientReviewsDeps): ClientReviews {
  const select = asPlatform({ query: pool.query.bind(pool) });
  const read = async <T>({ viewer }: Reviewer, work: () => Promise<T>): Promise<T> => {
    requirePlatformAdmin(viewer);
    try {
      return await work();
    } catch (error) {
      throw translateDatabaseError(error);
    }
  };
  return {
    list: (reviewer, filter, page) => read(reviewer, () => readClients(select, filter, page, clock.now())),
    count: (reviewer, filter) => read(reviewer, () => countClients(select, filter)),
    find: (reviewer, key) => read(reviewer, () => findClient(select, key, clock.now())),
    decide: async (reviewer, id, { expectedVersion, ...decision }) => {
      requirePlatformAdmin(reviewer.viewer);
      return inTransaction(pool, async (tx) => {
        const now = clock.now();
        const client = await requireLockedClient(asPlatform(tx), { id }, { now, expectedVersion });
        return write(tx, { reviewer, now }, client, outcomeOf(client, decision));
      });
    },
  };
}

type Outcome = { readonly action: ClientAction; readonly client: ClientRecord };
type Decided<T extends ReviewDecision['decision']> = Extract<ReviewDecision, { decision: T }>;

function outcomeOf(client: ClientRecord, decision: ReviewDecision): Outcome {
  switch (decision.decision) {
    case 'APPROVE':
      return approve(client, decision);
    case 'REJECT':
      return reject(client, decision);
    case 'SUSPEND':
      return suspend(client, decision);
    case 'RESUME':
      return resume(client);
    default:
      return unreachable(decision);
  }
}

/** What was asked for is in force, with those of its scopes that were chosen. A suspension goes on. */
function approve(client: ClientRecord, { scopes }: Decided<'APPROVE'>): Outcome {
  const { request } = client;
  if (request === null) throw new AppError('CONFLICT', 'Nothing of this client waits for approval.');
  const { requestedAt: _, ...asked } = request;
  const inForce = {
    ...asked,
    scopes: scopes === undefined ? asked.scopes : requireFewer(scopes, asked.scopes),
  };
  const approved = { ...client, inForce, request: null };
  const action = 'oauth_client.approved';
  if (client.status === 'SUSPENDED') return { action, client: approved };
  return { action, client: { ...approved, status: 'APPROVED', statusReason: null } };
}

/** A client that never was in force is rejected as a whole; of another one what it asked for is, and it goes on as it was. */
function reject(client: ClientRecord, decision: Decided<'REJECT'>): Outcome {
  const statusReason = parseReason(decision.reason);
  const action = 'oauth_client.rejected';
  if (client.request === null || client.status === 'REJECTED') {
    throw new AppError('CONFLICT', 'Nothing of this client waits for approval.');
  }
  if (client.status === 'PENDING') return { action, client: { ...client, status: 'REJECTED', statusReason } };
  const kept = { ...client, request: null };
  // The reason of a suspension is not written over: the log has this one.
  return { action, client: client.status === 'SUSPENDED' ? kept : { ...kept, statusReason } };
}

function suspend(client: ClientRecord, { reason }: Decided<'SUSPEND'>): Outcome {
  const statusReason = parseReason(reason);
  if (client.status !== 'APPROVED' && client.status !== 'SUSPENDED') throw wrongStatus(client, 'suspended');
  const suspended = { ...client, status: 'SUSPENDED', statusReason, isSuspendedByPlatform: true } as const;
  return { action: 'oauth_client.suspended', client: suspended };
}

function resume(client: ClientRecord): Outcome {
  if (client.status !== 'SUSPENDED') throw wrongStatus(client, 'resumed');
  const resumed = {
    ...client,
    status: 'APPROVED',
    statusReason: null,
    isSuspendedByPlatform: false,
  } as const;
  return { action: 'oauth_client.resumed', client: resumed };
}

async function write(
  tx: PoolClient,
  { reviewer, now }: { readonly reviewer: Reviewer; readonly now: Date },
  before: ClientRecord,
  { action, client }: Outcome,
): Promise<ClientRecord> {
  const { organizationId, id } = client;
  const select = asPlatform(tx);
  // First what the row has to be rid of before it is in force again, then the mark.
  if (!client.isSuspendedByPlatform) await select(markSuspendedByPlatform(client, false));
  await select(updateClientRow(client, now));
  if (client.isSuspendedByPlatform) await select(markSuspendedByPlatform(client, true));
  const act = actOfChange(action, before, client);
  if (act !== undefined) await recordOn(tx, { place: { organizationId }, source: reviewer.source, now }, act);
  return requireClient(select, { id }, now);
}

function requireFewer(scopes: readonly string[], asked: readonly string[]): readonly string[] {
  const distinct = [...new Set(scopes)];
  const faults: Fault[] = distinct.flatMap((scope, index) => {
    if (isScope(scope) && holdsScope(asked, scope)) return [];
    return [
      {
        path: ['scopes', index],
        message: `The client does not ask for ${JSON.stringify(scope.slice(0, 100))}.`,
      },
    ];
  });
  if (distinct.length === 0)
    faults.push({ path: ['scopes'], message: 'Expected at least one scope; or reject it.' });
  if (faults.length > 0) throw validationError(faults);
  return distinct;
}

function wrongStatus({ status }: ClientRecord, what: string): AppError {
  return new AppError('CONFLICT', `The client is ${status}; it cannot be ${what}.`);
}
