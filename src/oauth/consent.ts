/** What the members of an organization allow clients, as its admins see it, and how an admin takes it back. */
import { authorize, type RequestContext } from '../accounts/viewer.ts';
import { difference } from '../audit/difference.ts';
import { record } from '../audit/record.ts';
import type { Clock } from '../lib/clock.ts';
import { AppError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';
import { type Count, type Page, type PageRequest, toCount, toPage } from '../lib/page.ts';
import type { Tx } from '../platform/database/tenancy.ts';
import { isClientId } from './client.ts';
import {
  type Consent,
  type ConsentFilter,
  countConsents as countStatement,
  deleteConsent,
  deleteConsentsOfClient,
  type RevokedByAdmin,
  type RevokedTogether,
  selectConsent,
  selectConsents,
} from './consent-statements.ts';

export const MAY_MANAGE_CONSENTS = { scope: null, roles: ['ADMIN'] } as const;

export type ConsentContext = RequestContext & { readonly clock: Clock };

/** The consents of the organization, newest first. */
export async function listConsents(
  context: RequestContext,
  filter: ConsentFilter,
  page: PageRequest,
): Promise<Page<Consent>> {
  authorize(context.viewer, MAY_MANAGE_CONSENTS);
  if (!isPossible(filter)) return { items: [], hasMore: false };
  const rows = await context.read((tx) =>
    query<Consent>(tx, selectConsents(context.viewer.organizationId, filter, page)),
  );
  return toPage(rows, page);
}

/** How many `listConsents` would list. */
export async function countConsents(context: RequestContext, filter: ConsentFilter): Promise<Count> {
  authorize(context.viewer, MAY_MANAGE_CONSENTS);
  if (!isPossible(filter)) return toCount(0);
  const statement = countStatement(context.viewer.organizationId, filter);
  const [row] = await context.read((tx) => query<{ count: number }>(tx, statement));
  return toCount(row?.count ?? 0);
}

/** One of them; null when there is none. */
export async function findConsent(context: RequestContext, id: string): Promise<Consent | null> {
  authorize(context.viewer, MAY_MANAGE_CONSENTS);
  if (!isUuid(id)) return null;
  const [row] = await context.read((tx) =>
    query<Consent>(tx, selectConsent(context.viewer.organizationId, id)),
  );
  return row ?? null;
}

/** Takes back one consent: all tokens that rest on it end at once (rule 23). Errors: `NOT_FOUND`; `FORBIDDEN`. */
export async function revokeConsent(context: ConsentContext, id: string): Promise<void> {
  authorize(context.viewer, MAY_MANAGE_CONSENTS);
  await context.write(async ({ tx }) => {
    const [gone] = isUuid(id)
      ? await query<RevokedByAdmin>(tx, deleteConsent(context.viewer.organizationId, id))
      : [];
    if (gone === undefined) throw new AppError('NOT_FOUND', 'There is no such consent, or not any more.');
    const { clientRef, name, email, scopes } = gone;
    await record(tx, context, context.clock.now(), {
      action: 'oauth_consent.revoked',
      target: { type: 'OAuthClient', id: clientRef, label: name },
      changes: difference({ person: email, scopes }, {}),
    });
  });
}

/** Takes back what anybody allowed a client, by its client_id; answers how many people that were. Errors: `NOT_FOUND`; `FORBIDDEN`. */
export async function revokeConsentsOfClient(context: ConsentContext, clientId: string): Promise<number> {
  authorize(context.viewer, MAY_MANAGE_CONSENTS);
  const { organizationId } = context.viewer;
  return context.write(async ({ tx }) => {
    const [gone] = isClientId(clientId)
      ? await query<RevokedTogether>(tx, deleteConsentsOfClient(organizationId, clientId))
      : [];
    if (gone === undefined) throw new AppError('NOT_FOUND', 'There is no such client.');
    const { clientRef, name, count } = gone;
    if (count === 0) return 0;
    await record(tx, context, context.clock.now(), {
      action: 'oauth_consent.revoked',
      target: { type: 'OAuthClient', id: clientRef, label: name },
      changes: { people: { from: count, to: 0 } },
    });
    return count;
  });
}

/** Whether the database could know what is asked for. */
function isPossible({ clientId, userId }: ConsentFilter): boolean {
  return (clientId === undefined || isClientId(clientId)) && (userId === undefined || isUuid(userId));
}

type Statement = { readonly text: string; readonly values: readonly unknown[] };

function query<R>(tx: Tx, { text, values }: Statement): Promise<R[]> {
  return tx.$queryRawUnsafe<R[]>(text, ...values);
}
