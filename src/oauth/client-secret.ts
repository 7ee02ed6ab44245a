/** Secrets of confidential clients: made, replaced with an overlap in which both are good, ended (rule 55). */
import { z } from 'zod';
import { once } from '../accounts/idempotency.ts';
import { authorize } from '../accounts/viewer.ts';
import { beginning } from '../audit/difference.ts';
import { record } from '../audit/record.ts';
import { randomAlphanumeric, sha256 } from '../lib/crypto.ts';
import { AppError, validationError } from '../lib/errors.ts';
import { newId } from '../lib/ids.ts';
import type { Tx } from '../platform/database/tenancy.ts';
import { targetOf } from './client-audit.ts';
import { type ClientContext, MAY_MANAGE_CLIENTS } from './client-context.ts';
import { asTenant, type ClientRecord, requireClient, requireLockedClient } from './client-record.ts';
import type { ClientRow } from './client-record-statements.ts';
import { endOlderSecrets, insertOwnSecret, touchClient } from './client-secret-statements.ts';

/** 43 of 62 characters hold 256 bits. */
const SECRET_CHARACTERS = 43;
export const DEFAULT_OVERLAP_SECONDS = 86_400;
export const MAX_OVERLAP_SECONDS = 30 * 86_400;

/** Adds a new secret and answers it: the only time that it can be seen. */
export async function addClientSecret(
  tx: Tx,
  { organizationId, id }: Pick<ClientRow, 'organizationId' | 'id'>,
  now: Date,
): Promise<string> {
  const secret = randomAlphanumeric(SECRET_CHARACTERS);
  const row = { organizationId, id: newId(), clientRef: id, hash: sha256(secret) };
  await asTenant(tx)(insertOwnSecret(row, now));
  return secret;
}

export type RotateClientSecret = {
  /** 0 to 2,592,000 (30 days); a day if left out. */
  readonly overlapSeconds?: number | undefined;
  readonly expectedVersion?: number | undefined;
  /** The same key within 24 hours answers the same secret. */
  readonly idempotencyKey?: string | undefined;
};

export type RotatedClientSecret = {
  readonly client: ClientRecord;
  readonly clientSecret: string;
  /** Until then the secret before is good, too. */
  readonly overlapEndsAt: Date;
  readonly deduplicated: boolean;
};

const ROTATED = z.object({ clientSecret: z.string(), overlapEndsAt: z.coerce.date() });

/**
 * Gives a client a new secret; the newest before stays good for the overlap, one that was in an overlap already ends now,
 * so that there are two at most. Errors: `FORBIDDEN`, `NOT_FOUND`, `VALIDATION`; `CONFLICT` for a public client or another version.
 */
export async function rotateClientSecret(
  context: ClientContext,
  id: string,
  { idempotencyKey, ...options }: RotateClientSecret = {},
): Promise<RotatedClientSecret> {
  authorize(context.viewer, MAY_MANAGE_CLIENTS);
  const { overlapSeconds = DEFAULT_OVERLAP_SECONDS, expectedVersion } = options;
  requireOverlap(overlapSeconds);
  const input = { id, ...options };
  const request = { operation: 'rotateClientSecret', key: idempotencyKey, input, answer: ROTATED };
  return context.write(async (unit) => {
    const { answer, deduplicated } = await once(unit, context, request, () =>
      rotate(unit.tx, context, { id, overlapSeconds, expectedVersion }),
    );
    const key = { organizationId: context.viewer.organizationId, id };
    const client = await requireClient(asTenant(unit.tx), key, context.clock.now());
    return { client, ...answer, deduplicated };
  });
}

type Rotation = {
  readonly id: string;
  readonly overlapSeconds: number;
  readonly expectedVersion: number | undefined;
};

async function rotate(
  tx: Tx,
  context: ClientContext,
  { id, overlapSeconds, expectedVersion }: Rotation,
): Promise<z.infer<typeof ROTATED>> {
  const now = context.clock.now();
  const overlapEndsAt = new Date(now.getTime() + overlapSeconds * 1_000);
  const client = await lockConfidential(tx, context, { id, expectedVersion });
  await asTenant(tx)(endOlderSecrets(client, { newestEndsAt: overlapEndsAt, now }));
  await asTenant(tx)(touchClient(client, now));
  await record(tx, context, now, {
    action: 'oauth_client.secret_rotated',
    target: targetOf(client),
    changes: beginning({ overlap_ends_at: overlapEndsAt }),
  });
  return { clientSecret: await addClientSecret(tx, client, now), overlapEndsAt };
}

/**
 * Ends an overlap before its time: only the newest secret is good from now on. Nothing to end is no error.
 * Errors: as `rotateClientSecret`.
 */
export async function endSecretOverlap(
  context: ClientContext,
  id: string,
  expectedVersion?: number,
): Promise<ClientRecord> {
  authorize(context.viewer, MAY_MANAGE_CLIENTS);
  const now = context.clock.now();
  return context.write(async ({ tx }) => {
    const client = await lockConfidential(tx, context, { id, expectedVersion });
    const ending = client.secrets.find(({ expiresAt }) => expiresAt !== null);
    if (ending === undefined) return client;
    await asTenant(tx)(endOlderSecrets(client, { newestEndsAt: null, now }));
    await asTenant(tx)(touchClient(client, now));
    await record(tx, context, now, {
      action: 'oauth_client.overlap_ended',
      target: targetOf(client),
      changes: { overlap_ends_at: { from: ending.expiresAt, to: now } },
    });
    return requireClient(asTenant(tx), { organizationId: client.organizationId, id }, now);
  });
}

async function lockConfidential(
  tx: Tx,
  context: ClientContext,
  { id, expectedVersion }: Pick<Rotation, 'id' | 'expectedVersion'>,
): Promise<ClientRecord> {
  const key = { organizationId: context.viewer.organizationId, id };
  const client = await requireLockedClient(asTenant(tx), key, { now: context.clock.now(), expectedVersion });
  if (client.type === 'CONFIDENTIAL') return client;
  throw new AppError('CONFLICT', 'A public client has no secret.');
}

function requireOverlap(seconds: number): void {
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= MAX_OVERLAP_SECONDS) return;
  const message = `Expected 0 to ${MAX_OVERLAP_SECONDS.toLocaleString('en')} seconds.`;
  throw validationError([{ path: ['overlap_seconds'], message }]);
}
