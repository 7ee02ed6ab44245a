/** The schema: every type, field and description of the API. */
import type { GraphQLSchema } from 'graphql';
import { type BuilderOptions, createBuilder } from './builder.ts';
import { addLive } from './live.ts';
import { addAuditEntry } from './types/audit-entry.ts';
import { addAuditLog } from './types/audit-log.ts';
import { addCommonTypes } from './types/common.ts';
import { addDelivery } from './types/delivery.ts';
import { addDeliveryAttempt } from './types/delivery-attempt.ts';
import { addDeliveryFilter } from './types/delivery-filter.ts';
import { addDeliveryMutations } from './types/delivery-mutations.ts';
import { addEmit } from './types/emit.ts';
import { addErrors } from './types/error.ts';
import { addEvent } from './types/event.ts';
import { addEventType } from './types/event-type.ts';
import { addInvitation } from './types/invitation.ts';
import { addMembership } from './types/membership.ts';
import { addMembershipMutations } from './types/membership-mutations.ts';
import { addNode } from './types/node.ts';
import { addOrganization } from './types/organization.ts';
import { addScalars } from './types/scalars.ts';
import { addScope } from './types/scope.ts';
import { addSession } from './types/session.ts';
import { addViewer } from './types/viewer.ts';
import { addWebhookSubscription } from './types/webhook-subscription.ts';
import { addWebhookSubscriptionMutations } from './types/webhook-subscription-mutations.ts';

/** Builds the schema. */
export function createSchema(options: BuilderOptions = { onUnusedQuery: null }): GraphQLSchema {
  const builder = createBuilder(options);
  builder.queryType({ description: 'What can be read.' });
  builder.mutationType({ description: 'What can be done.' });
  builder.subscriptionType({ description: 'What can be followed.' });
  addScalars(builder);
  addErrors(builder);
  addCommonTypes(builder);
  addNode(builder);
  addSession(builder);
  addViewer(builder);
  addMembership(builder);
  addMembershipMutations(builder);
  const deliveryFilter = addDeliveryFilter(builder);
  addOrganization(builder, deliveryFilter);
  addInvitation(builder);
  addWebhookSubscription(builder, deliveryFilter);
  addWebhookSubscriptionMutations(builder);
  addDelivery(builder);
  addDeliveryAttempt(builder);
  addDeliveryMutations(builder);
  addEvent(builder);
  addEventType(builder);
  addEmit(builder);
  addAuditEntry(builder);
  addAuditLog(builder);
  addScope(builder);
  addLive(builder);
  return builder.toSchema();
}
