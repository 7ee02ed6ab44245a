/** The span of an attempt. The URL is left out: its path and query may be a secret between us and the receiver. */
import type { Trace } from '../platform/tracing/trace.ts';
import type { Settled } from './attempt.ts';
import type { ClaimedDelivery } from './lane-sql.ts';

/** Runs an attempt in a trace of its own, which the id of its event joins with the one that emitted it. */
export function traceAttempt(
  trace: Trace,
  delivery: ClaimedDelivery,
  attempt: () => Promise<Settled>,
): Promise<Settled> {
  const attributes = {
    'optio.organization_id': delivery.organizationId,
    'optio.subscription_id': delivery.subscriptionId,
    'optio.delivery_id': delivery.id,
    'optio.event_id': delivery.eventId,
    'optio.event_type': delivery.eventType,
    'optio.attempt': delivery.attemptCount + 1,
  };
  // Whoever rang for it (a request, a timer, another attempt's end) is not what it belongs to.
  return trace('attempt', { kind: 'client', parent: 'none', attributes }, async (span) => {
    const settled = await attempt();
    const { result, outcome } = settled;
    span.set({ 'optio.outcome': outcome.kind });
    if (result.kind === 'response') span.set({ 'http.response.status_code': result.status });
    if (outcome.kind !== 'succeeded') span.fail(outcome.errorKind);
    return settled;
  });
}
