/** What the live stream carries: every status change of a delivery, in the order of commits. */
import type { Viewer } from '../accounts/viewer.ts';
import type { DeliveryStatus } from '../generated/prisma/client.ts';

/** One status change. `version` counts the changes of one delivery; the cursor orders the changes of all of them. */
export type DeliveryUpdate = {
  readonly cursor: string;
  readonly organizationId: string;
  readonly deliveryId: string;
  readonly version: number;
  readonly at: Date;
  readonly subscriptionId: string;
  readonly eventType: string;
  readonly status: DeliveryStatus;
  /** Attempts made so far. */
  readonly attemptNumber: number;
  readonly responseCode: number | null;
  /** Milliseconds of the attempt that led to this change; null where there was none. */
  readonly durationMs: number | null;
  readonly error: string | null;
};

/** Why a cursor cannot be continued from: its updates are no longer kept, or it is of another database. */
export type StreamGapReason = 'EXPIRED' | 'OTHER_DATABASE';

export type StreamItem =
  /** First, once: the stream is live from this cursor on. */
  | { readonly kind: 'ready'; readonly cursor: string }
  | { readonly kind: 'update'; readonly update: DeliveryUpdate }
  /** Instead of what was asked for: look at the deliveries themselves, then go on from `resumeFrom`. The stream goes on from there. */
  | { readonly kind: 'gap'; readonly reason: StreamGapReason; readonly resumeFrom: string };

export type UpdateFilter = {
  readonly subscriptionId?: string | undefined;
  readonly eventTypes?: readonly string[] | undefined;
  readonly statuses?: readonly DeliveryStatus[] | undefined;
};

export type UpdateRequest = {
  readonly organizationId?: string | undefined;
  readonly filter?: UpdateFilter | undefined;
  /** Everything after this cursor, once and in order, then live. Left out: from now on. */
  readonly after?: string | undefined;
};

/**
 * Opens a viewer's stream. Throws FORBIDDEN, NOT_FOUND (another organization), VALIDATION (no cursor of ours).
 * Throws UNAUTHENTICATED out of the iteration when the viewer's token has expired or was revoked.
 * Returning the iterator frees everything.
 */
export type SubscribeToUpdates = (
  viewer: Viewer,
  request: UpdateRequest,
) => AsyncIterableIterator<StreamItem>;
