/** Gives a webhook subscription a new secret; the old one goes on signing, beside it, for the overlap. */
import { z } from 'zod';
import { once } from '../accounts/idempotency.ts';
import { authorize } from '../accounts/viewer.ts';
import { beginning } from '../audit/difference.ts';
import type { WebhookSubscription } from '../generated/prisma/client.ts';
import { validationError } from '../lib/errors.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import { MAY_WRITE, type WebhookContext } from './context.ts';
import { addSecret, endSecrets } from './secret.ts';
import { findSubscription, lockSubscription } from './subscription.ts';
import { recordSubscription } from './subscription-audit.ts';
import { requireVersion } from './version.ts';

export const DEFAULT_OVERLAP_SECONDS = 86_400;
const MAX_OVERLAP_SECONDS = 7 * 86_400;

export type RotationOptions = {
  /** 0 to 604,800; a day if left out. */
  readonly overlapSeconds?: number | undefined;
  /** Refused with CONFLICT when the subscription has another one. */
  readonly expectedVersion?: number | undefined;
  /** The same key within 24 hours answers the same secret. */
  readonly idempotencyKey?: string | undefined;
};

export type Rotation = {
  readonly subscription: WebhookSubscription;
  readonly secret: string;
  readonly overlapEndsAt: Date;
  readonly deduplicated: boolean;
};

const ANSWER = z.object({ secret: z.string(), overlapEndsAt: z.coerce.date() });

/** Replaces the secret. The new one is in the answer and never shown again, but to who asks with the same key. */
export async function rotateSecret(
  context: WebhookContext,
  id: string,
  { idempotencyKey, ...options }: RotationOptions = {},
): Promise<Rotation> {
  authorize(context.viewer, MAY_WRITE);
  const { overlapSeconds = DEFAULT_OVERLAP_SECONDS, expectedVersion } = options;
  requireOverlap(overlapSeconds);
  const request = {
    operation: 'rotateSecret',
    key: idempotencyKey,
    input: { id, ...options },
    answer: ANSWER,
  };
  return context.write(async (unit) => {
    const { answer, deduplicated } = await once(unit, context, request, () =>
      rotate(unit, context, { id, overlapSeconds, expectedVersion }),
    );
    const subscription = await findSubscription(unit.tx, context.viewer.organizationId, id);
    return { subscription, ...answer, deduplicated };
  });
}

function requireOverlap(seconds: number): void {
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= MAX_OVERLAP_SECONDS) return;
  throw validationError([
    { path: ['overlap_seconds'], message: `Expected 0 to ${MAX_OVERLAP_SECONDS} seconds.` },
  ]);
}

type Wanted = {
  readonly id: string;
  readonly overlapSeconds: number;
  readonly expectedVersion: number | undefined;
};

async function rotate(
  { tx, afterCommit }: Unit,
  context: WebhookContext,
  { id, overlapSeconds, expectedVersion }: Wanted,
): Promise<z.infer<typeof ANSWER>> {
  const now = context.clock.now();
  const overlapEndsAt = new Date(now.getTime() + overlapSeconds * 1_000);
  const current = await lockSubscription(tx, context.viewer.organizationId, id);
  requireVersion('WebhookSubscription', current, expectedVersion);
  const { organizationId } = current;
  afterCommit(() => context.wakeLanes(organizationId, [id]));
  // A new version is what tells the worker to open the secrets anew.
  const rotated = await tx.webhookSubscription.update({
    where: { organizationId_id: { organizationId, id } },
    data: { version: { increment: 1 }, updatedAt: now },
  });
  await endSecrets(tx, current, now, overlapEndsAt);
  await recordSubscription(tx, context, rotated, {
    action: 'webhook_subscription.secret_rotated',
    changes: beginning({ overlap_ends_at: overlapEndsAt }),
  });
  return { secret: await addSecret(tx, context.keys, current), overlapEndsAt };
}
