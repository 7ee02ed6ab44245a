/** A subscription that no worker pumps: its attempts are made up, and the database decides which of them count. */
import { emitEvents } from '../../src/events/emit.ts';
import { inTransaction } from '../../src/platform/database/pool.ts';
import type { Settled } from '../../src/webhooks/attempt.ts';
import type { WebhookContext } from '../../src/webhooks/context.ts';
import { type ClaimedDelivery, claimDue } from '../../src/webhooks/lane-sql.ts';
import { LOWEST_KEY } from '../../src/webhooks/lane-walk.ts';
import type { Outcome } from '../../src/webhooks/outcome.ts';
import { settleBatch } from '../../src/webhooks/settlement-sql.ts';
import { createSubscription } from '../../src/webhooks/subscription.ts';
import { exampleEvent, type World } from './world.ts';

export type StillLane = {
  readonly organizationId: string;
  readonly subscriptionId: string;
  readonly context: WebhookContext;
  /** What a worker would read before it sends. */
  readonly claim: () => Promise<readonly ClaimedDelivery[]>;
  readonly emitAndClaim: (count: number) => Promise<readonly ClaimedDelivery[]>;
  /** Emits one event; throws unless its delivery is due. */
  readonly claimOne: () => Promise<ClaimedDelivery>;
  readonly attemptOf: (delivery: ClaimedDelivery, outcome: Outcome) => Settled;
  /** Settles these attempts in one transaction; answers the ids of those that counted. */
  readonly settle: (...batch: readonly Settled[]) => Promise<readonly string[]>;
};

export const SUCCEEDED: Outcome = { kind: 'succeeded' };
export const FAILED: Extract<Outcome, { kind: 'failed' }> = {
  kind: 'failed',
  error: 'The receiver answered 500.',
  errorKind: 'http_status',
};

/** To be tried again then. */
export function retryAt(dueAt: Date): Outcome {
  return { kind: 'retry', dueAt, error: 'The receiver answered 500.', errorKind: 'http_status' };
}

/** Opens it in an organization of its own. */
export async function openStillLane(world: World): Promise<StillLane> {
  const organizationId = await world.createOrganization();
  const context = world.context(organizationId);
  const targetUrl = 'http://127.0.0.1:9999/';
  const { subscription } = await createSubscription(context, { targetUrl, eventTypes: ['*'] });
  const lane = { organizationId, subscriptionId: subscription.id, limit: 1_000 };
  const claim = async (): Promise<readonly ClaimedDelivery[]> => {
    // A worker knows whether it is in order.
    const requests = [lane, { ...lane, fromKey: LOWEST_KEY }];
    const claims = await Promise.all(
      requests.map((request) => claimDue(world.claimPool, [request], [], world.clock.now())),
    );
    const found = claims.flat().flatMap(({ deliveries }) => deliveries);
    return [...new Map(found.map((delivery) => [delivery.id, delivery])).values()];
  };
  const emitAndClaim = async (count: number): Promise<readonly ClaimedDelivery[]> => {
    await emitEvents(
      context,
      Array.from({ length: count }, () => exampleEvent()),
    );
    return claim();
  };
  return {
    ...lane,
    context,
    claim,
    emitAndClaim,
    claimOne: async () => {
      const [delivery] = await emitAndClaim(1);
      if (delivery === undefined) throw new Error('Expected a delivery that is due.');
      return delivery;
    },
    attemptOf: (delivery, outcome) => attemptOf(delivery, outcome, world.clock.now()),
    settle: (...batch) =>
      inTransaction(world.workerPool, (client) => settleBatch(client, batch, world.clock.now())),
  };
}

const timing = { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: 1, totalMs: 2 };

function attemptOf(delivery: ClaimedDelivery, outcome: Outcome, startedAt: Date): Settled {
  const status = outcome.kind === 'succeeded' ? 200 : 500;
  return {
    delivery,
    startedAt,
    requestHeaders: [],
    result: { kind: 'response', status, headers: [], body: '', bodyTruncated: false, timing },
    outcome,
  };
}
