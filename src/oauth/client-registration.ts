/**
 * Clients in the hands of their organization: registered, changed, suspended, deleted. Nothing here brings a client into
 * force or widens what is; that is for platform admins (client-review.ts), and the database refuses it, too.
 */
import { z } from 'zod';
import { once } from '../accounts/idempotency.ts';
import { authorize, requireOwnOrganization } from '../accounts/viewer.ts';
import { record } from '../audit/record.ts';
import { randomAlphanumeric } from '../lib/crypto.ts';
import { AppError } from '../lib/errors.ts';
import { newId } from '../lib/ids.ts';
import type { Count, Page, PageRequest } from '../lib/page.ts';
import type { Tx } from '../platform/database/tenancy.ts';
import { actOfChange, actOfRegistration, type ClientAction, targetOf } from './client-audit.ts';
import { type ClientContext, MAY_MANAGE_CLIENTS } from './client-context.ts';
import {
  type ClientChanges,
  type NewClientInput,
  parseChanges,
  parseNewClient,
  parseReason,
} from './client-input.ts';
import {
  asTenant,
  type ClientKey,
  type ClientRecord,
  countClients,
  findClient,
  readClients,
  requireClient,
  requireLockedClient,
} from './client-record.ts';
import {
  type ClientFilter,
  insertClientRow,
  type NewClientRow,
  updateClientRow,
} from './client-record-statements.ts';
import { addClientSecret } from './client-secret.ts';
import { isSame, planChange } from './client-settings.ts';

export const MAX_CLIENTS = 100;
const CLIENT_ID_CHARACTERS = 20;
const NOTHING = { scopes: [], redirectUris: [], grantTypes: [], requiresPkce: true } as const;

export type RegisterClient = NewClientInput & {
  readonly organizationId?: string | undefined;
  /** The same key within 24 hours answers the first client, with its secret. */
  readonly idempotencyKey?: string | undefined;
};

export type RegisteredClient = {
  readonly client: ClientRecord;
  /** Shown here only; null for a public client, which has none. */
  readonly clientSecret: string | null;
  readonly deduplicated: boolean;
};

const REGISTERED = z.object({ id: z.string(), clientSecret: z.string().nullable() });

/** Registers a client, which waits for a platform admin. Errors: `FORBIDDEN`; `VALIDATION`; `CONFLICT` when there are too many. */
export async function registerClient(
  context: ClientContext,
  { idempotencyKey, ...input }: RegisterClient,
): Promise<RegisteredClient> {
  authorize(context.viewer, MAY_MANAGE_CLIENTS);
  requireOwnOrganization(context.viewer, input.organizationId);
  const settings = parseNewClient(input);
  const request = { operation: 'registerClient', key: idempotencyKey, input, answer: REGISTERED };
  return context.write(async (unit) => {
    const { answer, deduplicated } = await once(unit, context, request, () =>
      insert(unit.tx, context, settings),
    );
    const client = await requireClient(asTenant(unit.tx), keyOf(context, answer.id), context.clock.now());
    return { client, clientSecret: answer.clientSecret, deduplicated };
  });
}

async function insert(
  tx: Tx,
  context: ClientContext,
  { scopes, redirectUris, grantTypes, requiresPkce, ...described }: ReturnType<typeof parseNewClient>,
): Promise<z.infer<typeof REGISTERED>> {
  const { organizationId } = context.viewer;
  const now = context.clock.now();
  await requireRoom(tx, organizationId);
  const client: NewClientRow = {
    ...described,
    organizationId,
    id: newId(),
    clientId: randomAlphanumeric(CLIENT_ID_CHARACTERS),
    status: 'PENDING',
    statusReason: null,
    inForce: NOTHING,
    request: { scopes, redirectUris, grantTypes, requiresPkce, requestedAt: now },
  };
  await asTenant(tx)(insertClientRow(client, now));
  await record(tx, context, now, actOfRegistration(client));
  const clientSecret = client.type === 'PUBLIC' ? null : await addClientSecret(tx, client, now);
  return { id: client.id, clientSecret };
}

/** The clients of the viewer's organization, newest first. Errors: `FORBIDDEN`. */
export async function listClients(
  context: ClientContext,
  filter: Omit<ClientFilter, 'organizationId' | 'id'>,
  page: PageRequest,
): Promise<Page<ClientRecord>> {
  authorize(context.viewer, MAY_MANAGE_CLIENTS);
  const { organizationId } = context.viewer;
  return context.read((tx) =>
    readClients(asTenant(tx), { ...filter, organizationId }, page, context.clock.now()),
  );
}

/** How many `listClients` would list. Errors: `FORBIDDEN`. */
export async function countOwnClients(
  context: ClientContext,
  filter: Omit<ClientFilter, 'organizationId' | 'id'>,
): Promise<Count> {
  authorize(context.viewer, MAY_MANAGE_CLIENTS);
  const { organizationId } = context.viewer;
  return context.read((tx) => countClients(asTenant(tx), { ...filter, organizationId }));
}

/** A client of the viewer's organization, by its id or client_id; null when there is none. Errors: `FORBIDDEN`. */
export async function findOwnClient(context: ClientContext, key: ClientKey): Promise<ClientRecord | null> {
  authorize(context.viewer, MAY_MANAGE_CLIENTS);
  const { organizationId } = context.viewer;
  return context.read((tx) => findClient(asTenant(tx), { ...key, organizationId }, context.clock.now()));
}

/** The same; `NOT_FOUND` when there is none. */
export async function getClient(context: ClientContext, id: string): Promise<ClientRecord> {
  authorize(context.viewer, MAY_MANAGE_CLIENTS);
  return context.read((tx) => requireClient(asTenant(tx), keyOf(context, id), context.clock.now()));
}

export type UpdateClient = ClientChanges & { readonly expectedVersion?: number | undefined };

/**
 * Changes what is named. What takes something away is in force at once; what adds something waits for a platform admin,
 * and what was approved goes on meanwhile. A rejected client waits anew.
 * Errors: `FORBIDDEN`, `NOT_FOUND`, `VALIDATION`; `CONFLICT` for another version.
 */
export async function updateClient(
  context: ClientContext,
  id: string,
  { expectedVersion, ...changes }: UpdateClient,
): Promise<ClientRecord> {
  return change(context, id, { expectedVersion, action: 'oauth_client.updated' }, (client) => {
    const { name = client.name, homepageUrl = client.homepageUrl, policyUrl = client.policyUrl } = changes;
    const before = client.request ?? client.inForce;
    const wanted = parseChanges(before, client.type, changes);
    const described = { ...client, name: name.trim(), homepageUrl, policyUrl };
    const isRejected = client.status === 'REJECTED';
    if (isSame(before, wanted) && !isRejected) return described;
    const { inForce, requested } = planChange(client.inForce, wanted);
    const request = requested === null ? null : { ...requested, requestedAt: context.clock.now() };
    return {
      ...described,
      inForce,
      request,
      ...(isRejected ? { status: 'PENDING', statusReason: null } : {}),
    };
  });
}

export type SuspendClient = { readonly reason: string; readonly expectedVersion?: number | undefined };

/** Stops a client at once, until it is resumed; its grants and tokens end for good, what people allowed it is kept. Errors: as `updateClient`; `CONFLICT` if it is not approved. */
export async function suspendClient(
  context: ClientContext,
  id: string,
  { reason, expectedVersion }: SuspendClient,
): Promise<ClientRecord> {
  const statusReason = parseReason(reason);
  return change(context, id, { expectedVersion, action: 'oauth_client.suspended' }, (client) => {
    requireStatus(client, 'APPROVED', 'suspended');
    return { ...client, status: 'SUSPENDED', statusReason };
  });
}

/** Lets a client go on that its organization suspended. Errors: as `updateClient`; `FORBIDDEN` if a platform admin did. */
export async function resumeClient(
  context: ClientContext,
  id: string,
  expectedVersion?: number,
): Promise<ClientRecord> {
  return change(context, id, { expectedVersion, action: 'oauth_client.resumed' }, (client) => {
    requireStatus(client, 'SUSPENDED', 'resumed');
    if (client.isSuspendedByPlatform) {
      throw new AppError('FORBIDDEN', 'A platform admin suspended the client, and can resume it.');
    }
    return { ...client, status: 'APPROVED', statusReason: null };
  });
}

/** Deletes a client with its secrets, consents and grants: its tokens end with it. Errors: as `updateClient`. */
export async function deleteClient(
  context: ClientContext,
  id: string,
  expectedVersion?: number,
): Promise<ClientRecord> {
  authorize(context.viewer, MAY_MANAGE_CLIENTS);
  const now = context.clock.now();
  return context.write(async ({ tx }) => {
    const client = await requireLockedClient(asTenant(tx), keyOf(context, id), { now, expectedVersion });
    const { organizationId } = client;
    await record(tx, context, now, { action: 'oauth_client.deleted', target: targetOf(client) });
    await tx.oAuthClient.deleteMany({ where: { organizationId, id } });
    return client;
  });
}

type Wanted = { readonly action: ClientAction; readonly expectedVersion: number | undefined };

async function change(
  context: ClientContext,
  id: string,
  { action, expectedVersion }: Wanted,
  decide: (client: ClientRecord) => ClientRecord,
): Promise<ClientRecord> {
  authorize(context.viewer, MAY_MANAGE_CLIENTS);
  const now = context.clock.now();
  return context.write(async ({ tx }) => {
    const select = asTenant(tx);
    const client = await requireLockedClient(select, keyOf(context, id), { now, expectedVersion });
    const changed = decide(client);
    const act = actOfChange(action, client, changed);
    if (act === undefined) return client;
    await select(updateClientRow(changed, now));
    await record(tx, context, now, act);
    return requireClient(select, keyOf(context, id), now);
  });
}

/** Refuses (`CONFLICT`) a client of another status. `what`: what it was to be. */
export function requireStatus(client: ClientRecord, status: ClientRecord['status'], what: string): void {
  if (client.status === status) return;
  const message = `The client is ${client.status}; only one that is ${status} can be ${what}.`;
  throw new AppError('CONFLICT', message);
}

async function requireRoom(tx: Tx, organizationId: string): Promise<void> {
  const { value } = await countClients(asTenant(tx), { organizationId });
  if (value >= MAX_CLIENTS) {
    throw new AppError('CONFLICT', `An organization has at most ${MAX_CLIENTS} OAuth clients.`);
  }
}

function keyOf({ viewer }: ClientContext, id: string) {
  return { organizationId: viewer.organizationId, id };
}
