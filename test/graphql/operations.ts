/** The documents of mutations that several tests use. */

import type { CreateWebhookSubscriptionInput } from '../generated/gql/graphql.ts';
import { graphql } from '../generated/gql/index.ts';
import { read, type TestServer } from './support.ts';

export const CREATE = graphql(`
  mutation Create($input: CreateWebhookSubscriptionInput!) {
    createWebhookSubscription(input: $input) {
      __typename
      ... on CreateWebhookSubscriptionPayload {
        secret
        deduplicated
        subscription {
          id targetUrl eventTypes description status version maxConcurrency rateLimitPerSecond retrySeconds timeoutSeconds orderedBy
          customHeaders { name value }
          secrets { expiresAt }
        }
      }
      ... on Error { message }
      ... on ValidationError { faults { path message } }
      ... on ForbiddenError { requiredScope }
    }
  }
`);

export const UPDATE = graphql(`
  mutation Update($input: UpdateWebhookSubscriptionInput!) {
    updateWebhookSubscription(input: $input) {
      __typename
      ... on UpdateWebhookSubscriptionPayload {
        subscription { id description status version maxConcurrency rateLimitPerSecond }
      }
      ... on Error { message }
      ... on ConflictError {
        currentVersion
        current { __typename ... on WebhookSubscription { id description version } }
      }
      ... on ValidationError { faults { path message } }
    }
  }
`);

export const DELETE = graphql(`
  mutation Delete($input: DeleteWebhookSubscriptionInput!) {
    deleteWebhookSubscription(input: $input) {
      __typename
      ... on DeleteWebhookSubscriptionPayload { deletedId }
      ... on Error { message }
    }
  }
`);

export const ROTATE = graphql(`
  mutation Rotate($input: RotateWebhookSecretInput!) {
    rotateWebhookSecret(input: $input) {
      __typename
      ... on RotateWebhookSecretPayload { secret overlapEndsAt deduplicated subscription { secrets { expiresAt } } }
      ... on ValidationError { faults { path message } }
      ... on Error { message }
    }
  }
`);

export const SEND_TEST = graphql(`
  mutation SendTest($input: SendTestEventInput!) {
    sendTestEvent(input: $input) {
      __typename
      ... on SendTestEventPayload { deduplicated delivery { id isTest status eventType event { data } } }
      ... on ValidationError { faults { path message } }
      ... on Error { message }
    }
  }
`);

export const RETRY = graphql(`
  mutation Retry($input: RetryDeliveryInput!) {
    retryDelivery(input: $input) {
      __typename
      ... on RetryDeliveryPayload { delivery { id status nextAttemptAt } }
      ... on Error { message }
      ... on ConflictError { currentVersion current { ... on Delivery { status version } } }
    }
  }
`);

export const CANCEL = graphql(`
  mutation Cancel($input: CancelDeliveryInput!) {
    cancelDelivery(input: $input) {
      __typename
      ... on CancelDeliveryPayload { delivery { id status completedAt } }
      ... on Error { message }
    }
  }
`);

/** Creates a webhook subscription of North. */
export async function createSubscription(
  server: TestServer,
  input: Partial<CreateWebhookSubscriptionInput> = {},
) {
  const { createWebhookSubscription: result } = await read(server, 'north', CREATE, {
    input: { targetUrl: 'https://lms.example/hooks', eventTypes: ['quest.completed'], ...input },
  });
  if ('secret' in result) return result;
  throw new Error(`A webhook subscription was not created: ${JSON.stringify(result)}`);
}
