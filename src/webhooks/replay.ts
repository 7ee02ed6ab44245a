/** Replays: one delivery at once, or all that a filter finds in the background (docs/adr/0043). */
import { z } from 'zod';
import { once } from '../accounts/idempotency.ts';
import { authorize } from '../accounts/viewer.ts';
import type { AuditAction } from '../audit/action.ts';
import { beginning } from '../audit/difference.ts';
import type { AuditChanges } from '../audit/entry.ts';
import { record } from '../audit/record.ts';
import type { Replay } from '../generated/prisma/client.ts';
import { AppError, validationError } from '../lib/errors.ts';
import { isUuid, lowestUuidAt, newId } from '../lib/ids.ts';
import {
  type Count,
  MAX_COUNT,
  type Page,
  type PageRequest,
  pageQuery,
  toCount,
  toPage,
} from '../lib/page.ts';
import type { Tx } from '../platform/database/tenancy.ts';
import { MAY_READ, MAY_WRITE, type WebhookContext } from './context.ts';
import { DEFAULT_RATE, type ReplayFilter, type ReplayRequest, requireReplayRequest } from './replay-input.ts';
import { cancelOpen, countSources, type ReplaySelection } from './replay-sql.ts';
import { findSubscription } from './subscription.ts';

/** What one replay sends at most. */
export const MAX_REPLAYED = 100_000;

export type ReplayCount = { readonly value: number; readonly isExact: boolean };
export type StartedReplay = {
  readonly replay: Replay;
  /** It was started before, under the same idempotency key. */
  readonly deduplicated: boolean;
};

const STARTED = z.object({ id: z.string() });
const EVER = new Date(0);

/** How many deliveries a replay with this filter would make: counted as far as one replay goes. Changes nothing. */
export async function previewReplay(context: WebhookContext, filter: ReplayFilter): Promise<ReplayCount> {
  authorize(context.viewer, MAY_WRITE);
  requireReplayRequest(filter);
  const counted = await context.read(async (tx) => count(tx, await selectionOf(tx, context, filter)));
  return { value: Math.min(counted, MAX_REPLAYED), isExact: counted <= MAX_REPLAYED };
}

/** Starts a replay; a worker goes on with it. `VALIDATION` for what would be more than 100,000 deliveries. */
export async function startReplay(
  context: WebhookContext,
  { idempotencyKey, ...input }: ReplayRequest,
): Promise<StartedReplay> {
  authorize(context.viewer, MAY_WRITE);
  requireReplayRequest({ ...input, idempotencyKey });
  const request = { operation: 'replayDeliveries', key: idempotencyKey, input, answer: STARTED };
  return context.write(async (unit) => {
    const { answer, deduplicated } = await once(unit, context, request, () => start(unit.tx, context, input));
    return { replay: await findReplay(unit.tx, context.viewer.organizationId, answer.id), deduplicated };
  });
}

async function start(
  tx: Tx,
  context: WebhookContext,
  input: ReplayRequest,
): Promise<z.infer<typeof STARTED>> {
  const { viewer, clock } = context;
  const selection = await selectionOf(tx, context, input);
  const total = await count(tx, selection);
  if (total > MAX_REPLAYED) {
    const message = `There are more than ${MAX_REPLAYED.toLocaleString('en')} to replay: replay them in parts, by time.`;
    throw validationError([{ path: ['since'], message }]);
  }
  const { userId, clientId } = viewer;
  const row = await tx.replay.create({
    data: {
      ...selection,
      userId,
      clientId,
      since: input.since ?? null,
      ratePerSecond: input.ratePerSecond ?? DEFAULT_RATE,
      total,
      nextAt: clock.now(),
      createdAt: clock.now(),
    },
  });
  await recordReplay(tx, context, row, {
    action: 'replay.started',
    changes: beginning({ ...describe(row), total, rate_per_second: row.ratePerSecond }),
  });
  return { id: row.id };
}

/**
 * Ends a replay: nothing more is replayed, and what of it has not ended is cancelled. One of which everything has ended
 * stays as it is.
 */
export async function cancelReplay(context: WebhookContext, id: string): Promise<Replay> {
  authorize(context.viewer, MAY_WRITE);
  const { organizationId } = context.viewer;
  return context.write(async ({ tx }) => {
    // A piece that is under way ends first.
    if (isUuid(id))
      await tx.$queryRaw`SELECT FROM replays WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid FOR UPDATE`;
    const replay = await findReplay(tx, organizationId, id);
    if (replay.state === 'CANCELLED') return replay;
    const now = context.clock.now();
    const open = await tx.$executeRaw`${cancelOpen(organizationId, id, now)}`;
    if (replay.state === 'COMPLETED' && open === 0) return replay;
    const cancelled = await tx.replay.update({
      where: { organizationId_id: { organizationId, id } },
      data: { state: 'CANCELLED', endedAt: now, version: { increment: 1 } },
    });
    await recordReplay(tx, context, cancelled, {
      action: 'replay.cancelled',
      changes: beginning({
        replayed: cancelled.replayed,
        total: cancelled.total,
        deliveries_cancelled: open,
      }),
    });
    return cancelled;
  });
}

/** The viewer's replays, newest first. */
export async function listReplays(context: WebhookContext, page: PageRequest): Promise<Page<Replay>> {
  authorize(context.viewer, MAY_READ);
  const { id, take, order } = pageQuery(page);
  const where = { organizationId: context.viewer.organizationId, id };
  return toPage(
    await context.read((tx) => tx.replay.findMany({ where, take, orderBy: { id: order } })),
    page,
  );
}

/** How many replays the viewer has. */
export async function countReplays(context: WebhookContext): Promise<Count> {
  authorize(context.viewer, MAY_READ);
  const where = { organizationId: context.viewer.organizationId };
  return toCount(await context.read((tx) => tx.replay.count({ where, take: MAX_COUNT + 1 })));
}

/** One replay; NOT_FOUND for one of another organization as for one that never was. */
export async function getReplay(context: WebhookContext, id: string): Promise<Replay> {
  authorize(context.viewer, MAY_READ);
  return context.read((tx) => findReplay(tx, context.viewer.organizationId, id));
}

/** The viewer's replays among these ids. */
export async function findReplays(
  context: WebhookContext,
  ids: readonly string[],
): Promise<readonly Replay[]> {
  authorize(context.viewer, MAY_READ);
  const where = { organizationId: context.viewer.organizationId, id: { in: ids.filter(isUuid) } };
  return context.read((tx) => tx.replay.findMany({ where }));
}

async function findReplay(tx: Tx, organizationId: string, id: string): Promise<Replay> {
  const replay = isUuid(id)
    ? await tx.replay.findUnique({ where: { organizationId_id: { organizationId, id } } })
    : null;
  if (replay === null) throw new AppError('NOT_FOUND', `There is no replay ${JSON.stringify(id)}.`);
  return replay;
}

/** Names what a filter leaves open, so that the replay means the same tomorrow. */
async function selectionOf(
  tx: Tx,
  { viewer: { organizationId }, clock }: WebhookContext,
  { subscriptionId, eventTypes, statuses = [], missing = false, since = EVER, until }: ReplayFilter,
): Promise<ReplaySelection> {
  const subscription =
    subscriptionId === undefined ? undefined : await findSubscription(tx, organizationId, subscriptionId);
  const wanted = missing && !subscription?.eventTypes.includes('*') ? subscription?.eventTypes : undefined;
  return {
    organizationId,
    id: newId(),
    missing,
    subscriptionId: subscription?.id ?? null,
    eventTypes: [...(eventTypes ?? wanted ?? [])],
    statuses: [...statuses],
    // What is made from now on is not part of it.
    until: until === undefined || until > clock.now() ? clock.now() : until,
    position: lowestUuidAt(since),
  };
}

async function count(tx: Tx, selection: ReplaySelection): Promise<number> {
  const rows = await tx.$queryRaw<
    { readonly counted: number }[]
  >`${countSources(selection, MAX_REPLAYED + 1)}`;
  return rows[0]?.counted ?? 0;
}

function describe({ missing, subscriptionId, eventTypes, statuses, since, until }: Replay) {
  return {
    missing: missing || null,
    subscription_id: subscriptionId,
    event_types: eventTypes.length === 0 ? null : eventTypes,
    statuses: statuses.length === 0 ? null : statuses,
    since: since?.toISOString() ?? null,
    until: until.toISOString(),
  };
}

function recordReplay(
  tx: Tx,
  context: WebhookContext,
  { id }: Replay,
  act: { readonly action: AuditAction; readonly changes: AuditChanges },
): Promise<void> {
  return record(tx, context, context.clock.now(), { ...act, target: { type: 'Replay', id } });
}
