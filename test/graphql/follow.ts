/** The operation that follows the live stream of North. */
import type { SubscribePayload } from 'graphql-ws';
import { globalId } from '../../src/graphql/global-id.ts';
import { NORTH } from './viewers.ts';

export const FOLLOW = `
  subscription Follow($organizationId: ID!, $after: Cursor, $filter: DeliveryUpdateFilter) {
    deliveryUpdates(organizationId: $organizationId, after: $after, filter: $filter) {
      __typename
      ... on StreamReady { cursor }
      ... on DeliveryUpdated { cursor version deliveryId subscriptionId eventType status attemptNumber responseCode durationMs error at }
      ... on StreamGap { reason resumeFrom }
    }
  }`;

/** With these variables beside the organization. */
export const follow = (variables: Record<string, unknown> = {}): SubscribePayload => ({
  query: FOLLOW,
  variables: { organizationId: globalId('Organization', NORTH), ...variables },
});
